"""Over HTTP against a sandbox that misbehaves: exact after the next quiet run, or a clear failure, no false success."""

import sys
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import PipelineError
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import MINUTE, Window, floor_minute
from pipelines.land import ledger
from pipelines.land.pull import Pull, planned_windows
from pipelines.land.refresh import windows_to_refresh
from pipelines.sandbox.knobs import Knobs, make_knobs
from pipelines.sandbox.operators import make_operator

PAGE = 50
LIFE = ("update", "delete", "insert", "late_insert", "past_stamp", "pay", "refund")


@pytest.fixture
def sandbox_operator():
    return make_operator(size=400, months=2, dense_minute_entries=120)


def sync(connection, source, sandbox, run_id, *, settle=5 * MINUTE):
    """What the landing asset does, by the server's clock."""
    now = floor_minute(sandbox.clock.now_at())
    history = Window(now - timedelta(days=400), now - settle)
    pull = Pull(connection, source, page_size=PAGE, run_id=run_id, settle=settle, workers=2)
    pull.read(
        UPDATED_ON, planned_windows(connection, HISTORIES, UPDATED_ON, history, lookback=60 * MINUTE, page_size=PAGE)
    )
    for axis in HISTORIES.further_axes:
        pull.read(axis, windows_to_refresh(connection, HISTORIES, axis, history.end, 60 * MINUTE))
    return pull.report


def landed(connection):
    query = "select id, updated_on, coworker_invoice_paid_on from land.coworker_invoice_histories"
    return {
        row_id: (to_second(updated), to_second(paid)) for row_id, updated, paid in connection.execute(query).fetchall()
    }


def to_second(instant):
    return instant and instant.replace(microsecond=0)


def truth(sandbox, until):
    rows = sandbox.store.truth(lambda entry: datetime.fromtimestamp(entry.updated_on, UTC) < until)
    return {row["Id"]: (row["UpdatedOn"], row["CoworkerInvoicePaidOn"]) for row in rows}


def calm_down(sandbox):
    """From now on an ordinary server with nothing going on."""
    for name in (*LIFE, *(knob.removesuffix("_rate") for knob in Knobs.__struct_fields__ if knob.endswith("_rate"))):
        if name not in {"unknown_field", "wrong_type", "missing_field", "null_updated_on"}:
            setattr(sandbox.knobs, f"{name}_rate", 0.0)
    sandbox.clock.advance(timedelta(minutes=20))


def check_that_it_is_exact_or_says_so(sandbox, connection, source):
    """Runs until one succeeds, the world moving on; then a quiet run."""
    failures = []
    for attempt in range(12):
        try:
            sync(connection, source, sandbox, f"run {attempt}")
        except PipelineError as error:
            failures.append(str(error))
            check_that_what_is_closed_is_complete(sandbox, connection)
        else:
            break
    calm_down(sandbox)
    report = sync(connection, source, sandbox, "quiet run")

    until = floor_minute(sandbox.clock.now_at()) - 5 * MINUTE
    found = landed(connection)
    (count,) = connection.execute("select count(*) from land.coworker_invoice_histories").fetchone()
    assert len(found) == count, "an entry landed twice"
    assert {i: row for i, row in found.items() if i not in sandbox.store.deleted_ids} == truth(sandbox, until)
    assert report.open_minutes == []
    assert all(failure.count("\n") == 0 for failure in failures)
    return failures


def check_that_what_is_closed_is_complete(sandbox, connection):
    closed = ledger.closed_windows(connection, HISTORIES, UPDATED_ON)
    settled = floor_minute(sandbox.clock.now_at()) - 30 * MINUTE
    found = landed(connection)
    missing = {i for i, (updated, _) in truth(sandbox, settled).items() if any(updated in one for one in closed)} - set(
        found
    )
    assert missing == set(), "closed, and not landed"


@pytest.mark.parametrize("profile", ["busy", "hostile"])
def test_a_profile_is_read_exactly(start_sandbox, sandbox_operator, warehouse, histories_of, profile):
    sandbox = start_sandbox(sandbox_operator, make_knobs(profile))

    check_that_it_is_exact_or_says_so(sandbox, warehouse, histories_of(sandbox))

    assert sandbox.store.changes.total() > 10


MOVING = {"update_rate": 0.5, "insert_rate": 0.5, "delete_rate": 0.2, "pay_rate": 0.3}
SURVIVED = [
    {"other_page_size_rate": 0.3},
    {"reversed_order_rate": 0.1},
    {"unordered_rate": 0.1},
    {"unordered_rate": 1.0},
    {"dir_convention": "1/-1"},
    {"max_page_size": 20},
    {"shuffle_ties": True},
    {"range_end": "minute"},
    {"range_end": "whole_minute"},
    {"range_end": "exclusive"},
    {"time_form": "fraction"},
    {"time_form": "no_zone"},
    {"time_form": "mixed", "shuffle_ties": True},
    {"total_amount_type": "mixed", "flag_type": "text"},
    {"unknown_field_rate": 0.5},
    {"missing_field_rate": 0.5, "missing_field": "UpdatedBy"},
    {"date_header_skew_seconds": 600},
    {"date_header_skew_seconds": -600},
    {"truncated_json_rate": 0.05},
    {"reset_mid_body_rate": 0.05},
    {"error_500_rate": 0.05},
    {"throttle_bare_rate": 0.05},
    {"token_dies_after_requests": 3},
]


@pytest.mark.fault("rows in another order or direction, page size cut", "any answer", "exact")
@pytest.mark.fault("body cut, connection reset, 500, throttled, token refused", "some answers", "exact")
@pytest.mark.fault("`Date` ten minutes ahead or behind", "every answer", "exact")
@pytest.mark.parametrize(
    "knobs", SURVIVED, ids=lambda knobs: " ".join(f"{name}={value}" for name, value in knobs.items())
)
def test_a_single_oddity_is_survived(start_sandbox, sandbox_operator, warehouse, histories_of, knobs):
    sandbox = start_sandbox(sandbox_operator, make_knobs(**MOVING | knobs))

    assert check_that_it_is_exact_or_says_so(sandbox, warehouse, histories_of(sandbox)) == []


REFUSED = {
    "ignored_filter": "ignored",
    "login_page": "HTML page",
    "null_records": "Records: null",
    "ignored_page": "Page .* was asked for",
}


@pytest.mark.fault(
    "filter ignored, login page, `Records: null`, page ignored", "some answers", "exact after the next run"
)
@pytest.mark.parametrize("fault", REFUSED)
def test_an_answer_that_cannot_be_believed_ends_the_run_and_the_next_one_goes_on(
    start_sandbox, sandbox_operator, warehouse, histories_of, fault
):
    sandbox = start_sandbox(sandbox_operator, make_knobs(**MOVING))
    source = histories_of(sandbox)
    if fault == "ignored_filter":
        sync(warehouse, source, sandbox, "first")
    setattr(sandbox.knobs, f"{fault}_rate", 0.15)
    sandbox.clock.advance(timedelta(days=2))

    check_that_it_is_exact_or_says_so(sandbox, warehouse, source)


@pytest.mark.fault(
    "filter ignored, login page, `Records: null`, page ignored", "every answer", "refused with a sentence"
)
@pytest.mark.parametrize("fault", REFUSED)
def test_where_it_never_ends_the_run_says_what_it_is(start_sandbox, sandbox_operator, warehouse, histories_of, fault):
    sandbox = start_sandbox(sandbox_operator)
    source = histories_of(sandbox)
    sync(warehouse, source, sandbox, "first")
    sandbox.clock.advance(timedelta(days=2))
    setattr(sandbox.knobs, f"{fault}_rate", 1.0)
    if fault == "ignored_page":
        sandbox.store.collect(sandbox.store.until, 3 * PAGE)
    before = ledger.closed_windows(warehouse, HISTORIES, UPDATED_ON)

    with pytest.raises(PipelineError, match=REFUSED[fault]):
        sync(warehouse, source, sandbox, "second")

    assert ledger.closed_windows(warehouse, HISTORIES, UPDATED_ON)[-1].end <= before[-1].end + timedelta(days=2)
    check_that_what_is_closed_is_complete(sandbox, warehouse)


PASSING = (
    *("truncated_json", "reset", "reset_mid_body", "error_500", "error_502", "error_503", "throttle_409"),
    *("throttle_date", "throttle_429", "throttle_503", "throttle_bare", "login_page", "null_records", "ignored_page"),
)


@pytest.mark.fault("fourteen passing faults at 2 % each", "every answer", "exact")
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_fourteen_passing_faults_at_once_take_one_sync(start_sandbox, warehouse, histories_of, monkeypatch, seed):
    monkeypatch.setattr(sys.modules[__name__], "PAGE", 8)  # enough requests that no budget lasts by its constant
    rates = {f"{fault}_rate": 0.02 for fault in PASSING}
    sandbox = start_sandbox(make_operator(size=2000, months=2), make_knobs(seed=seed, **rates))

    sync(warehouse, histories_of(sandbox), sandbox, "first")

    assert len(landed(warehouse)) == len(sandbox.store)


@pytest.mark.fault("filter read in another time zone", "first sync", "refused with a sentence")
@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
def test_a_filter_in_a_local_zone_is_refused_and_nothing_stays_closed(
    start_sandbox, sandbox_operator, warehouse, histories_of, zone
):
    sandbox = start_sandbox(sandbox_operator, make_knobs(filter_time_zone=zone))

    with pytest.raises(PipelineError, match="NEXUDUS_FILTER_TIMEZONE"):
        sync(warehouse, histories_of(sandbox), sandbox, "first")

    assert ledger.closed_windows(warehouse, HISTORIES, UPDATED_ON) == []
    sync(warehouse, histories_of(sandbox, filter_timezone=zone), sandbox, "told the zone")
    assert landed(warehouse) == truth(sandbox, floor_minute(sandbox.clock.now_at()) - 5 * MINUTE)


@pytest.mark.fault("403 for any page but the first", "a minute fuller than a page", "exact after the next run")
def test_deep_pages_refused_leave_the_dense_minute_open_until_they_are_not(
    start_sandbox, sandbox_operator, warehouse, histories_of
):
    sandbox = start_sandbox(sandbox_operator, make_knobs(deep_page_403_after=1))
    source = histories_of(sandbox)

    (minute,) = sync(warehouse, source, sandbox, "first").open_minutes
    check_that_what_is_closed_is_complete(sandbox, warehouse)
    sandbox.knobs.deep_page_403_after = 0

    assert check_that_it_is_exact_or_says_so(sandbox, warehouse, source) == []
    assert any(minute in one for one in ledger.closed_windows(warehouse, HISTORIES, UPDATED_ON))


def test_entries_shown_without_updated_on_land_all_the_same(start_sandbox, sandbox_operator, warehouse, histories_of):
    sandbox = start_sandbox(sandbox_operator, make_knobs(null_updated_on_rate=0.3))
    source = histories_of(sandbox)
    sync(warehouse, source, sandbox, "first")
    sandbox.clock.advance(timedelta(hours=1))
    for entry in sandbox.store.by_id.items[::7]:
        sandbox.store.update(entry.id, name="Amended")
    sandbox.clock.advance(timedelta(hours=1))

    sync(warehouse, source, sandbox, "second")

    names = dict(warehouse.execute("select id, name from land.coworker_invoice_histories").fetchall())
    assert names == {row["Id"]: row["Name"] for row in sandbox.store.truth()}
