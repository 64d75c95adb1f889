"""No name of a person leaves the warehouse unless the user says so."""

import duckdb
from landed_canaries import CANARIES

from pipelines.publish.parquet import publish_parquet
from pipelines.publish.snapshot import open_snapshot
from pipelines.publish.spreadsheets import export

PERSONAL = {
    ("invoices", "coworker_full_name"),
    ("invoices", "bill_to_name"),
    ("history_entries", "updated_by"),
    ("history_entries", "description"),
}


def everything(connection, tables):
    return "\n".join(str(connection.execute(f"from {table}").fetchall()) for table in tables)


def canaries_in(text):
    return [name for name in CANARIES if name.lower() in text.lower()]


def test_no_canary_is_in_any_published_value_or_file(publish_once, target, tmp_path):
    publish_once()
    parquet = publish_parquet(target)
    with open_snapshot(target) as snapshot:
        export(snapshot, tmp_path / "data" / "export", "csv")
        tables = snapshot.tables
    with duckdb.connect(str(target), read_only=True) as connection:
        assert canaries_in(everything(connection, tables)) == []
    with duckdb.connect() as connection:
        files = [f"'{parquet}/{table}/*.parquet'" for table in tables]
        assert canaries_in(everything(connection, files)) == []
    written = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert len(written) > 50
    for path in written:
        assert canaries_in(path.read_bytes().decode("latin-1")) == [], path


def test_a_description_is_its_pattern_and_the_other_columns_are_empty(publish_once, target):
    publish_once()
    with duckdb.connect(str(target), read_only=True) as connection:
        texts = connection.execute(
            "select distinct description from history_entries where description like 'FAILED%' and updated_by is null"
        ).fetchall()
        assert texts == [("FAILED: Insufficient funds. <name>, card #.",)]
        names = connection.execute("select count(coworker_full_name) + count(bill_to_name) from invoices").fetchall()
        assert names == [(0,)]


def test_personal_data_is_published_where_the_user_wants_it(publish_once, target):
    publish_once(personal_data=True)
    with duckdb.connect(str(target), read_only=True) as connection:
        found = everything(connection, ["invoices", "history_entries"])
        assert set(canaries_in(found)) == set(CANARIES)
        assert connection.execute("select has_personal_data from about").fetchall() == [(True,)]


def test_the_dictionary_says_which_columns_are_personal(publish_once, target):
    publish_once()
    with duckdb.connect(str(target), read_only=True) as connection:
        marked = connection.execute("select table_name, column_name from data_dictionary where is_personal").fetchall()
    assert set(marked) >= PERSONAL
