"""The fault matrix `docs/faults.md`, made from the marks of the tests: `uv run python tests/fault_matrix.py` writes it.

A case is a mark with three literal texts, on a test or on a `pytest.param`:

    @pytest.mark.fault("half an emoji in a text", "any page", "exact")

What goes wrong, when, and one of `OUTCOMES`.
"""

import ast
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "faults.md"
OUTCOMES = {
    "exact": "the same run ends with every row that the API has",
    "exact after the next run": "this run ends with an error or a warning, and the next one with every row",
    "refused with a sentence": "nothing of it is believed; the message says what to do",
    "warned of": "the run ends well, and `status` or `doctor` names what it cannot settle by itself",
}
_HEAD = """# What goes wrong, and what happens then

Each line is proved by a test. The page is made from the tests' marks by `uv run python tests/fault_matrix.py`; to add a
line, mark a test with `@pytest.mark.fault("what goes wrong", "when", "outcome")` and run the command.

The outcomes:

"""


class Case(NamedTuple):
    """One line of the matrix, and the test that proves it."""

    fault: str
    moment: str
    outcome: str
    path: Path


def cases(path: Path) -> list[Case]:
    """The marks in a file of tests; read, not run. Raises ValueError for one that is not three literal texts."""
    marks = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault"
    ]
    found = []
    for mark in marks:
        texts = [word.value for word in mark.args if isinstance(word, ast.Constant)]
        if len(texts) != 3 or texts[2] not in OUTCOMES:
            raise ValueError(f"{path.name}:{mark.lineno}: three texts, the last one of {', '.join(OUTCOMES)}")
        found.append(Case(*texts, path))
    return found


def matrix() -> str:
    """The page."""
    found = sorted({case for path in TESTS.rglob("test_*.py") for case in cases(path)})
    lines = [f"- **{outcome}**: {meaning}" for outcome, meaning in OUTCOMES.items()]
    lines += ["", "| what goes wrong | when | outcome | proved by |", "|---|---|---|---|"]
    for case in found:
        link = f"[{case.path.name}](../tests/{case.path.relative_to(TESTS)})"
        lines.append(f"| {case.fault} | {case.moment} | {case.outcome} | {link} |")
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(matrix(), encoding="utf-8")
