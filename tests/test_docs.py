"""The README tells the truth: its commands are run, its verbs, options, settings and links exist."""

import re
import subprocess
from pathlib import Path

import pytest
import typer
from command_line import run_here

from pipelines import cli
from pipelines.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN = README[: README.index("\n## ")]
PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md")))]


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


# To be taken away with the last gap: settings without a row, links to pages that are not written yet.
unfinished = pytest.mark.xfail(reason="the README is still being written")


@pytest.mark.parametrize("command", commands_shown())
def test_every_command_that_a_page_shows_is_one_that_the_program_knows(command):
    words = command.removeprefix("uv run ").split()[1:]
    verb = next(word for word in words if not word.startswith("-"))

    told = run_here(verb, "--help")

    assert told.code == 0, told.err
    for option in (
        word.split("=")[0] for word in words if word.startswith("--") and word not in {"--help", "--verbose"}
    ):
        assert option in told.out, f"{verb} has no {option}"


def test_every_command_of_the_table_exists_with_the_options_it_shows():
    for command, _ in rows("command"):
        verb, *rest = command.strip("`").split()
        told = run_here(verb, "--help")
        assert told.code == 0, told.err
        for option in re.findall(r"--[a-z-]+", " ".join(rest)):
            assert option in told.out, f"{verb} has no {option}"


def test_every_command_has_a_row_in_the_table():
    shown = {word for command, _ in rows("command") for word in re.findall(r"`([a-z]+)", command)}

    assert shown == set(typer.main.get_command(cli.app).commands)


@unfinished
def test_every_setting_is_in_the_table_with_its_default():
    shown = {name.strip("`"): default.strip("`") for name, default, _ in rows("variable")}
    real = {
        f"NEXUDUS_{name.upper()}": "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }

    assert shown == real


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=unfinished if page == "README.md" else ()) for page in PAGES]
)
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))

    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
