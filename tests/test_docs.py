"""The README tells the truth: its commands are run, its verbs, options, settings and links exist."""

import re
import subprocess
from pathlib import Path

import pytest
import typer
from command_line import run_here
from fault_matrix import PAGE, matrix

from pipelines import cli
from pipelines.settings import settings_as_markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN = README[: README.index("\n## ")]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md"))),
]


def fenced(text, language):
    """The lines of all blocks of a language, without comments."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def rows(heading):
    """The rows of the table whose first column has this heading, cell by cell."""
    table = re.search(rf"^\| {heading} \|.*?\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)[1]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]


def test_the_first_screen_shows_two_commands_and_ci_runs_just_those():
    shown = fenced(FIRST_SCREEN, "console")
    picking = next(line for line in (ROOT / ".ci" / "run").read_text().splitlines() if "README.md" in line)

    picked = subprocess.run(
        ["bash", "-c", f'{picking}; printf "%s\\n" "${{commands[@]}}"'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert picked.stdout.splitlines() == shown
    assert shown == ["pip install uv && uv run nexudus-billing demo", "pip install uv && uv run pytest"]


def commands_shown():
    """Every call of the program that a page shows in a block."""
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    lines = {line for text in texts for line in fenced(text, "(?:console|bash)?")}
    return sorted(line for line in lines if line.startswith(("uv run nexudus-billing", "nexudus-billing")))


def help_of(words):
    """The words up to the verb, two of them where it is one of a group, and what its --help says."""
    verb = words[:1]
    if hasattr(typer.main.get_command(cli.app).commands.get(verb[0]), "commands"):
        verb = words[:2]
    return " ".join(verb), run_here(*verb, "--help")


@pytest.mark.parametrize("command", commands_shown())
def test_every_command_that_a_page_shows_is_one_that_the_program_knows(command):
    words = command.removeprefix("uv run ").split()[1:]
    verb, told = help_of(words[next(place for place, word in enumerate(words) if not word.startswith("-")) :])

    assert told.code == 0, told.err
    for option in (
        word.split("=")[0] for word in words if word.startswith("--") and word not in {"--help", "--verbose"}
    ):
        assert option in told.out, f"{verb} has no {option}"


def test_every_command_of_the_table_exists_with_the_options_it_shows():
    for command in (each for cell, _ in rows("command") for each in re.findall(r"`([^`]+)`", cell)):
        verb, told = help_of(command.split())
        assert told.code == 0, told.err
        for option in re.findall(r"--[a-z-]+", command):
            assert option in told.out, f"{verb} has no {option}"


def test_every_command_has_a_row_in_the_table():
    shown = {word for command, _ in rows("command") for word in re.findall(r"`([a-z]+)", command)}

    assert shown == set(typer.main.get_command(cli.app).commands)


def test_the_table_of_settings_is_made_of_the_settings_themselves():
    assert settings_as_markdown() in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_the_page_of_faults_is_made_of_the_marks_of_the_tests():
    assert matrix() == PAGE.read_text(encoding="utf-8"), "run `uv run python tests/fault_matrix.py`"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))

    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


# What the glossary and ordinary English have better words for, as in "Mend it in .env": fix it.
RIDDLES = re.compile(
    r"\b(mend(s|ed|ing)?|whoever|so many|surely|deserves? a look|dear|odd(ness|est)|amid|sparingly"
    r"|stands? in line|draws? near|home and turned)\b",
    re.IGNORECASE,
)
FILES = [ROOT / page for page in PAGES] + [
    path
    for folder, ending in (("pipelines", "*.py"), ("sql", "*.sql"), ("deploy", "*.*"))
    for path in (ROOT / folder).rglob(ending)
]


def test_what_people_read_is_said_in_plain_words():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in [*FILES, ROOT / "pyproject.toml"]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if RIDDLES.search(line)
    ]

    assert found == []
