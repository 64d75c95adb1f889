"""What was deleted, and what a record said before, loses people and texts once it has been kept long enough."""

from datetime import timedelta

import pytest
from tested_warehouse import new_warehouse
from wire_records import ANSWERED_AT, wire

from pipelines.extract.histories import HISTORIES
from pipelines.extract.records import RejectedRecord
from pipelines.land.erased_people import withhold_all
from pipelines.land.erasing import let_go
from pipelines.land.merge import Page, land_pages
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

GONE = wire(
    Id=1, Name="Gone Quillfeather", CoworkerInvoiceCoworkerFullName="Gone Quillfeather", Undocumented="Quillfeather"
)
FIRST = wire(Id=2, Description="First Vandersloot", UpdatedBy="vandersloot@example.com", Nested={"a": "Vandersloot"})
NOW = wire(Id=2, Description="Now Brackenmoor", Name="")


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, data_dir=tmp_path, **new_warehouse(tmp_path))


def land(settings, days, *raws):
    """What was read a number of days before the test's present."""
    seen_at = ANSWERED_AT - timedelta(days=days)
    broken = [RejectedRecord(raw=b'{"Id": "Wrong Orlaithe"', reason="broken", id=None)] if days > 30 else []
    with open_warehouse(settings) as connection, warehouse_of(settings).writing_alone(connection):
        records = [HISTORIES.contract.read(raw) for raw in raws]
        land_pages(connection, HISTORIES, [Page(records, broken, seen_at)])
        if days > 30:
            gone_at = {"at": ANSWERED_AT - timedelta(days=days)}
            connection.execute(f"update {HISTORIES.rows} set deleted_at = $at where id = 1", gone_at)


def held(settings):
    """What is in any file, after the upkeep that a lake has."""
    warehouse = warehouse_of(settings)
    if warehouse.needs_upkeep:
        with open_warehouse(settings) as connection:
            warehouse.forget_deleted(connection)
    content = b"".join(file.read_bytes() for file in settings.data_dir.rglob("*") if file.is_file()).lower()
    words = ("Gone Quillfeather", "Undocumented", "Vandersloot", "Brackenmoor", "Orlaithe")
    return [word for word in words if word.lower().encode() in content]


def state(settings):
    with open_warehouse(settings) as connection:
        return [
            connection.execute(f"from {table} order by all").fetchall()
            for table in (HISTORIES.rows, HISTORIES.versions)
        ]


def test_what_was_deleted_or_replaced_long_ago_is_without_people_and_texts_in_the_file_itself(settings):
    land(settings, 60, GONE, FIRST)
    land(settings, 10, NOW)
    kept = held(settings)
    assert len(kept) >= 4  # a Parquet file of a lake is compressed
    assert let_go(settings, withhold_all, ANSWERED_AT) == 0
    long = settings.model_copy(update={"keep_deleted_days": 90, "keep_versions_days": 90})
    assert let_go(long, withhold_all, ANSWERED_AT) == 0

    soon = settings.model_copy(update={"keep_deleted_days": 30, "keep_versions_days": 30})
    assert let_go(soon, withhold_all, ANSWERED_AT) == 3

    assert held(settings) == ["Brackenmoor"]
    with open_warehouse(settings) as connection:
        amounts = f"select id, raw ->> 'CoworkerInvoiceTotalAmount' from {HISTORIES.versions} order by all"
        assert connection.execute(amounts).fetchall() == [(1, "149.0"), (2, "149.0"), (2, "149.0")]
    once = state(settings)
    assert let_go(soon, withhold_all, ANSWERED_AT) == 0
    assert state(settings) == once


def test_an_entry_that_comes_back_has_its_texts_again(settings):
    land(settings, 60, GONE)
    soon = settings.model_copy(update={"keep_deleted_days": 30})
    assert let_go(soon, withhold_all, ANSWERED_AT) == 1
    assert held(settings) == ["Orlaithe"]

    land(settings, 0, GONE)

    with open_warehouse(settings) as connection:
        found = connection.execute(f"select name, deleted_at, extra from {HISTORIES.rows}").fetchall()
    assert found == [("Gone Quillfeather", None, '{"Undocumented":"Quillfeather"}')]
