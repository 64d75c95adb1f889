"""DuckDB's memory goes by the rows at hand, and is no reason to fail while the machine has more."""

import duckdb
import pytest

from pipelines.foundation.memory import COPYING, JOINING, with_memory_limit


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def limit(connection):
    return connection.execute("select parse_formatted_bytes(current_setting('memory_limit'))").fetchone()[0]


@pytest.mark.parametrize(
    ("entry_count", "least_bytes", "allowed"),
    [
        (0, COPYING, COPYING),
        (1_000_000, JOINING, JOINING),
        (10_000_000, JOINING, JOINING + 9_000_000 * 200),
    ],
)
def test_the_limit_grows_with_the_entries_and_is_put_back(connection, entry_count, least_bytes, allowed):
    before = limit(connection)

    within = with_memory_limit(connection, entry_count, lambda: limit(connection), least_bytes=least_bytes)

    assert within == pytest.approx(allowed, rel=0.03)  # DuckDB tells it in rounded GiB
    assert limit(connection) == pytest.approx(before, rel=0.01)


def test_no_more_is_taken_than_duckdb_would_take_by_itself(connection):
    connection.execute("set memory_limit = '64MiB'")

    assert with_memory_limit(connection, 10**9, lambda: limit(connection), least_bytes=JOINING) == 64 * 2**20


def test_what_does_not_fit_is_done_again_with_twice_as_much_before_it_gets_all(connection):
    # A list of 120 MB.
    limits = []

    def work():
        limits.append(limit(connection))
        return connection.execute("select length(list(i)) from range(15_000_000) as numbers (i)").fetchone()

    assert with_memory_limit(connection, 0, work, least_bytes=200 * 2**20) == (15_000_000,)
    assert limits == [200 * 2**20, 400 * 2**20]


def test_what_does_not_fit_is_done_once_more_with_all_the_memory(connection):
    # A list of 240 MB cannot go to disk.
    query = "select length(list(i)) from range(30_000_000) as numbers (i)"

    found = with_memory_limit(connection, 0, lambda: connection.execute(query).fetchone(), least_bytes=COPYING)

    assert found == (30_000_000,)
    connection.execute(f"set memory_limit = '{COPYING}B'")
    with pytest.raises(duckdb.OutOfMemoryException):
        connection.execute(query).fetchone()
