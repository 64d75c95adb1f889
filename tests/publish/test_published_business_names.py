"""Names of businesses as they are published: from the file, or ids."""

from datetime import UTC, datetime

import pytest

from pipelines.extract.businesses import read_names_file
from pipelines.land.business_names import store_names
from pipelines.publish.snapshot import open_snapshot

NOW = datetime(2025, 7, 1, tzinfo=UTC)


@pytest.fixture
def warehouse(warehouse):
    yield warehouse
    warehouse.execute("delete from land.business_names")


def names_file(tmp_path, text):
    path = tmp_path / "businesses.csv"
    path.write_text(text, encoding="utf-8")
    return path


def published_names(publish_once):
    with open_snapshot(publish_once().path) as snapshot:
        rows = snapshot.rows("select business_id, business_name, time_zone, name_source from businesses order by 1")
        return [tuple(row.values()) for row in rows], snapshot.about.named_business_count


def test_names_of_the_file_are_published(tmp_path, warehouse, publish_once):
    path = names_file(
        tmp_path,
        '\ufeffbusiness_id,business_name,time_zone\n1414970,Rivérside,Europe/London\n\n1414971,"A, B",\n7,x,\n',
    )
    store_names(warehouse, read_names_file(path), "file", NOW)
    names, named = published_names(publish_once)
    assert names == [
        (1414970, "Rivérside", "Europe/London", "file"),
        (1414971, "A, B", None, "file"),
        (1414972, "1414972", None, "none"),
        (1414973, "1414973", None, "none"),
    ]
    assert named == 2


def test_without_names_ids_are_shown(publish_once):
    names, named = published_names(publish_once)
    assert [name for _, name, _, _ in names] == ["1414970", "1414971", "1414972", "1414973"]
    assert named == 0
