"""Names of businesses: from the file, from the API, or ids and how to name them."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import WrongUseError
from pipelines.extract.client import NexudusClient
from pipelines.publish.business_names import ask_for_names, is_due, read_names_file, store_names
from pipelines.publish.snapshot import open_snapshot
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import Settings

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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,name\n1,x\n", ":1: the header must read business_id,business_name,time_zone."),
        ("business_id,business_name\nx,y\n", ":2: business_id 'x' is not a whole number."),
        ("business_id,business_name\n1,y\n1,z\n", ":3: business 1 is named twice."),
        ("", ":1: the header must read"),
    ],
)
def test_a_broken_file_is_said_with_its_line(tmp_path, text, said):
    with pytest.raises(WrongUseError, match=said.replace(".", r"\.")):
        read_names_file(names_file(tmp_path, text))


def test_a_file_that_is_missing_is_said(tmp_path):
    with pytest.raises(WrongUseError, match="cannot be read"):
        read_names_file(tmp_path / "none.csv")


def test_the_api_tells_the_names_of_all_businesses(tmp_path):
    operator = make_operator(size=600, months=3)
    with running_sandbox(operator) as sandbox:
        settings = Settings(
            _env_file=None,
            base_url=sandbox.base_url,
            username=sandbox.username,
            password=sandbox.password,
            data_dir=tmp_path,
            request_spacing_ms=0,
        )
        with NexudusClient(settings) as client:
            names = ask_for_names(client)
    assert {(one.business_id, one.business_name) for one in names} == {
        (one.id, one.name) for one in operator.businesses
    }


def test_the_api_is_asked_once_a_week_even_where_it_names_nobody(warehouse):
    assert is_due(warehouse, NOW)
    store_names(warehouse, [], "api", NOW)
    assert not is_due(warehouse, NOW + timedelta(days=6))
    assert is_due(warehouse, NOW + timedelta(days=8))
