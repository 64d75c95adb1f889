"""The shape of the program: data flows one way, and so do imports; importing does nothing."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipelines"
STAGES = ("extract", "land", "model", "publish", "record", "show")
ROOMS = (*STAGES, "foundation", "orchestrate", "command", "sandbox")
ASSEMBLY = {"cli", "definitions", "command", "orchestrate"}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def imports(module: Path) -> set[str]:
    """Dotted names of all that a module imports, at its top or within a function, for types or for use."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def parts_imported(module: Path) -> set[str]:
    """What of this package a module imports: `land` for anything below pipelines/land, `settings` for a module."""
    return {name.split(".")[1] for name in imports(module) if name.startswith("pipelines.")}


def in_folder(folder: str) -> list[Path]:
    return [module for module in MODULES if module.parent.relative_to(PACKAGE).parts[:1] == (folder,)]


def test_every_folder_is_a_room_of_the_architecture():
    folders = {module.relative_to(PACKAGE).parts[0] for module in MODULES if module.parent != PACKAGE}

    assert folders <= set(ROOMS)
    assert {"extract", "land", "model", "publish"} <= folders


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_itself_and_earlier_ones(stage):
    later = set(STAGES[STAGES.index(stage) + 1 :])

    for module in in_folder(stage):
        assert not parts_imported(module) & (later | ASSEMBLY | {"sandbox"}), module


def test_the_foundation_imports_no_stage():
    for module in in_folder("foundation"):
        assert not parts_imported(module) & {*STAGES, *ASSEMBLY, "sandbox"}, module


def test_the_sandbox_stands_by_itself():
    for module in in_folder("sandbox"):
        assert not parts_imported(module) & {*STAGES, *ASSEMBLY}, module


def test_the_client_alone_knows_httpx():
    users = [module for module in MODULES if any(name.split(".")[0] == "httpx" for name in imports(module))]

    assert [str(module.relative_to(PACKAGE)) for module in users] == ["extract/client.py"]


def test_reading_the_api_knows_nothing_of_duckdb_or_dagster():
    for module in in_folder("extract"):
        assert not {name.split(".")[0] for name in imports(module)} & {"duckdb", "dagster", "polars"}, module


def test_no_two_modules_share_a_name():
    names = Counter(module.name for module in MODULES)

    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "misc", "assets"])
def test_no_module_has_a_name_that_says_nothing(name):
    assert not [module for module in MODULES if module.stem == name or name in module.parts]


WATCHED_IMPORT = """
import os, sys
import dagster  # at import it runs `file` on the interpreter, which is not this project's doing

def forbid(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen"}:
        raise AssertionError(f"{event} {arguments}")
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        raise AssertionError(f"opens {arguments[0]} to write")
    if event in {"os.mkdir", "os.rename", "os.remove", "sqlite3.connect"}:
        raise AssertionError(f"{event} {arguments}")

sys.addaudithook(forbid)
import pipelines.definitions
print("imported", os.environ.get("DAGSTER_HOME"), [name for name in os.environ if name.startswith("NEXUDUS")])
"""


def test_importing_the_definitions_opens_no_socket_writes_no_file_and_needs_no_environment(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED_IMPORT],
        env={},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "imported None []\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--help"], {"dagster", "duckdb", "polars", "httpx", "pydantic", "starlette", "msgspec"}),
        (["status"], {"dagster", "polars", "httpx", "starlette"}),
    ],
)
def test_the_command_line_answers_without_loading_what_it_does_not_need(tmp_path, arguments, unneeded):
    code = f"""
import contextlib, io, sys
from pipelines import cli
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    cli.run({arguments})
print({unneeded} & set(sys.modules))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )

    assert ran.stdout == "set()\n"
