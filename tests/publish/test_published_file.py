"""What an analyst finds in the file."""

import hashlib
import json
import stat

import duckdb
import pytest

from pipelines.extract.histories import HISTORIES
from pipelines.foundation.sql_files import sql_folder
from pipelines.publish.releases import manifest_path, releases_folder


def ask(file, query):
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query).fetchall()


def test_every_table_and_column_has_a_comment_and_a_line_in_the_dictionary(publish_once):
    file = publish_once().path
    assert ask(file, "select table_name from duckdb_tables() where comment is null and not internal") == []
    assert (
        ask(file, "select table_name, column_name from duckdb_columns() where comment is null and not internal") == []
    )
    undocumented = ask(
        file,
        "select table_name, column_name from duckdb_columns()"
        " where not internal and table_name not in ('data_dictionary', 'data_checks')"
        " except select table_name, column_name from data_dictionary",
    )
    assert undocumented == []


def test_about_is_one_row_that_says_what_the_file_rests_on(publish_once):
    file = publish_once().path
    (about,) = ask(
        file,
        "select release_number, published_at::varchar, covered_from_at::varchar, covered_until_at::varchar, gap_count,"
        " entry_count, business_count, named_business_count, has_personal_data from about",
    )
    assert about == (
        *(1, "2025-07-01 06:00:00+00", "2025-01-06 09:00:00+00", "2025-04-16 09:00:00+00", 1),
        *(600, 4, 0, False),
    )
    assert ask(file, "select from_at::varchar, to_at::varchar from sync_gaps") == [
        ("2025-04-16 09:00:00+00", "2025-04-17 09:00:00+00")
    ]
    assert ask(file, "select run_id, row_count, request_count from sync_runs") == [("run-1", 600, 4)]


def test_about_counts_what_no_figure_can_count(publish_once, warehouse):
    raw = {"Id": 1, "UpdatedOn": "2025-03-01T00:00:00Z", "CoworkerInvoiceId": 1, "CoworkerInvoiceTotalAmount": 0.12345}
    refused = HISTORIES.contract.read(json.dumps(raw).encode())
    warehouse.execute("begin")
    try:
        warehouse.execute(
            "insert into land.rejected_records by name select $entity as entity, $reason as reason",
            {"entity": HISTORIES.name, "reason": refused.reason},
        )
        warehouse.execute(
            "insert into model.history_entries by name"
            " select * replace (entry_id + 1000000 as entry_id, null as invoice_id) from model.history_entries limit 2"
        )
        counts = "rejected_record_count, rejected_amount_count, no_invoice_entry_count"
        sql = (sql_folder("publish") / "about.sql").read_text(encoding="utf-8")
        assert warehouse.execute(f"select {counts} from ({sql}\n)").fetchall() == [(1, 1, 2)]
    finally:
        warehouse.execute("rollback")


def test_nothing_of_the_making_is_left_beside_the_file(publish_once, target):
    publish_once()
    assert sorted(path.name for path in target.parent.iterdir() if not path.name.endswith(".lock")) == [
        "analytics.duckdb",
        "analytics.manifest.json",
        "analytics.releases",
    ]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700


def test_the_manifest_knows_the_file_by_its_checksum(publish_once, target):
    publish_once()
    publish_once()
    newest = json.loads(manifest_path(target).read_bytes())["releases"][0]
    assert newest["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert newest["release_number"] == 2
    assert newest["row_counts"]["history_entries"] == 600
    assert (target.parent / newest["file"]).read_bytes() == target.read_bytes()


def test_the_last_releases_are_kept(publish_once, target):
    for _ in range(3):
        publish_once(kept_releases=2)
    kept = sorted(path.name for path in releases_folder(target).iterdir())
    assert kept == ["000002.duckdb", "000003.duckdb"]
    assert ask(releases_folder(target) / "000002.duckdb", "select release_number from about") == [(2,)]


def test_numbers_go_on_where_the_manifest_was_lost(publish_once, target):
    publish_once()
    publish_once()
    manifest_path(target).write_text("{ half")
    assert publish_once().release_number == 3


def test_the_settings_of_the_connection_come_back(publish_once, warehouse):
    before = warehouse.execute("select name, value from duckdb_settings() order by 1").fetchall()
    publish_once()
    assert warehouse.execute("select name, value from duckdb_settings() order by 1").fetchall() == before


def test_the_promises_that_were_checked_are_listed(publish_once):
    file = publish_once().path
    assert ("history_entries", "unique_entry_id", "unique: entry_id") in ask(file, "from data_checks")


@pytest.mark.parametrize("left", [".analytics.duckdb.1.building", ".analytics.duckdb.1.building.wal"])
def test_what_a_killed_publisher_left_is_swept_away(publish_once, target, left):
    target.parent.mkdir(parents=True)
    (target.parent / left).write_bytes(b"half")
    publish_once()
    assert not (target.parent / left).exists()
