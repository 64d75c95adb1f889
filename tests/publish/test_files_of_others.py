"""A published file that somebody else made: whatever is in it, it reads no other file and writes none."""

from pathlib import Path

import duckdb
import pytest

from pipelines.errors import WrongUseError
from pipelines.publish.snapshot import open_published, open_snapshot
from pipelines.publish.spreadsheets import export

CANARY = "canary-of-another-file"


@pytest.fixture
def secret(tmp_path) -> Path:
    file = tmp_path / "secret.txt"
    file.write_text(CANARY, encoding="utf-8")
    return file


def changed(file: Path, *statements: str) -> Path:
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)
    return file


def test_a_view_in_place_of_a_table_reads_no_file(publish_once, secret):
    """The first query of every reader is for the row of `about`."""
    file = changed(
        publish_once().path,
        "alter table about rename to was",
        f"create view about as select * replace ((select content from read_text('{secret}')) as reporting_timezone)"
        " from was",
    )

    for reader in (open_snapshot, open_published):
        with pytest.raises(WrongUseError) as refused, reader(file):
            pass
        assert CANARY not in str(refused.value)


def test_only_the_folder_of_an_export_is_written_to(publish_once, secret, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("exported")
    with open_snapshot(publish_once().path, writes_to=folder) as snapshot:
        assert export(snapshot, folder, "csv", ["about"]).files[0].exists()
        for query, file in [(f"from read_text('{secret}')", folder / "a.csv"), ("select 1", Path("elsewhere.csv"))]:
            with pytest.raises(duckdb.PermissionException):
                snapshot.copy_to(query, file, "format csv")
    assert not Path("elsewhere.csv").exists()
