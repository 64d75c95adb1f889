"""SECURITY.md, docs/data-protection.md and docs/dependencies.md state facts: each is looked up in the code."""

import importlib.machinery
import importlib.util
import re
import tomllib
from pathlib import Path

import duckdb
import pytest

from pipelines.land.entity_tables import ENTITIES
from pipelines.land.layout import create_tables
from pipelines.settings import Settings

ROOT = Path(__file__).parents[1]
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROTECTION = (ROOT / "docs" / "data-protection.md").read_text(encoding="utf-8")


def test_the_tests_that_prove_a_defence_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)`", SECURITY)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", [SECURITY, PROTECTION], ids=["security", "protection"])
def test_the_settings_that_a_page_names_exist(page):
    named = {name.lower() for name in re.findall(r"NEXUDUS_(\w+)", page)}
    assert named - set(Settings.model_fields) == set()


def test_every_personal_column_that_is_landed_is_named_and_none_that_is_not():
    rows = {cells[1]: cells[2] for line in PROTECTION.splitlines() if len(cells := line.split("|")) == 6}
    for entity in ENTITIES:
        (held,) = [what for where, what in rows.items() if f"`{entity.rows}`" in where]
        columns = {*entity.personal_columns, *entity.text_columns}
        assert set(re.findall(r"`(\w+)`", held)) - {"extra"} == columns


def test_every_table_that_is_kept_and_may_name_somebody_is_listed():
    with duckdb.connect() as connection:
        create_tables(connection)
        columns = connection.execute(
            "select schema_name || '.' || table_name from duckdb_columns()"
            " where schema_name in ('land', 'record')"
            " and regexp_matches(column_name, 'name$|description|raw|updated_by|person')"
            " and column_name not in ('business_name')"
        ).fetchall()
    assert {table for (table,) in columns if f"`{table}`" not in PROTECTION} == set()


def test_the_list_of_packages_is_that_of_the_lock():
    loader = importlib.machinery.SourceFileLoader("dependencies", str(ROOT / ".ci" / "dependencies"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("dependencies", loader))
    loader.exec_module(module)
    listed = re.findall(r"^\| ([\w.-]+) \| \d", module.PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert set(listed) == set(module.needed(*module.EXTRAS))
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = wanted["dependencies"] + [one for extra in module.EXTRAS for one in wanted["optional-dependencies"][extra]]
    assert {re.match(r"[\w-]+", one)[0] for one in direct} == set(module.REASONS)


def test_every_locked_package_has_hashes():
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    files = [each for one in packages for each in [*one.get("wheels", []), *([one["sdist"]] if "sdist" in one else [])]]
    assert len(files) > 500
    assert [each for each in files if not each["hash"].startswith("sha256:")] == []


def test_no_option_of_the_command_takes_a_secret():
    options = re.findall(r'"--([\w-]+)"', (ROOT / "pipelines" / "cli.py").read_text(encoding="utf-8"))
    assert [one for one in options if re.search("password|token|secret|key", one)] == []
