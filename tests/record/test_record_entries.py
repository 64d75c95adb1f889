"""Entries over HTTP: whatever the API does, each exists once or is reported as unconfirmed, notified at most once."""

import threading
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from on_the_server import made, writes_of
from tested_warehouse import new_warehouse

from pipelines.errors import BrokenPromiseError, RefusedError, TryAgainLaterError, WrongUseError
from pipelines.extract.failures import ThrottledError
from pipelines.land.warehouse import open_warehouse
from pipelines.record.delivery import record_entries
from pipelines.record.entries import Entry
from pipelines.record.outbox import Outbox
from pipelines.record.states import Claimed, State
from pipelines.sandbox.knobs import Knobs

WRITE_FAULTS = sorted(
    name.removesuffix("_rate")
    for name in Knobs.__struct_fields__
    if name.startswith("write_") and name.endswith("_rate")
)
THROTTLES = ["throttle_429"]


def states_in(settings) -> list[str]:
    with open_warehouse(settings) as connection:
        return [state for (state,) in connection.execute("select state from record.outbox").fetchall()]


def test_an_entry_has_all_fields_of_the_create_page_and_its_reference(sandbox, settings_for):
    invoice = next(iter(sandbox.store.invoices))
    entry = Entry(invoice_id=invoice, name="Called", description="No answer.", is_problem=True, notify=True)

    delivery = record_entries(settings_for(sandbox), [entry])

    row = sandbox.store.get(delivery.entries[0].entry_id)
    assert (row.invoice.id, row.name, row.is_problem, row.notify) == (invoice, "Called", True, True)
    assert row.description == f"No answer. [ref {entry.reference}]"
    assert (delivery.summary, delivery.problem) == ("1 created", None)


def test_asked_again_it_sends_nothing(sandbox, settings_for, entries_for):
    settings, entries = settings_for(sandbox), entries_for(sandbox, 2)
    record_entries(settings, entries)
    sandbox.requests.clear()

    again = record_entries(settings, entries)

    assert (again.summary, again.problem) == ("2 recorded before", None)
    assert writes_of(sandbox) == 0
    assert len(sandbox.store.notified_ids) == 2


@pytest.mark.parametrize("fault", WRITE_FAULTS)
def test_after_any_fault_an_entry_is_made_and_notified_once(sandbox, settings_for, entries_for, fault):
    sandbox.knobs.slow_seconds = 0.3
    settings, (entry,) = (
        settings_for(sandbox, timeout_seconds=0.15 if "late_after" in fault else 5),
        entries_for(sandbox, 1),
    )
    sandbox.faults.inject(fault)

    delivery = record_entries(settings, [entry])

    assert delivery.problem is None
    assert made(sandbox, entry) == sandbox.store.notified_ids == [delivery.entries[0].entry_id]


@pytest.mark.parametrize("fault", [fault for fault in WRITE_FAULTS if fault != "write_made_late"])
def test_a_doubt_that_has_not_settled_is_left_unsure_and_not_sent_again(sandbox, settings_for, entries_for, fault):
    sandbox.knobs.slow_seconds = 0.3
    settings = settings_for(sandbox, timeout_seconds=0.15, settle_minutes=5)
    entries = entries_for(sandbox, 1)
    sandbox.faults.inject(fault)

    for _ in range(2):
        delivery = record_entries(settings, entries)

    # What is there is found, however it was lost; "not made" without a reason is not believed at once.
    is_known = "after" in fault
    assert delivery.entries[0].state is (State.CONFIRMED if is_known else State.UNSURE)
    assert len(made(sandbox, entries[0])) == len(sandbox.store.notified_ids) == is_known
    assert writes_of(sandbox) == 1


def test_a_row_made_after_the_client_gave_up_is_not_made_twice(sandbox, settings_for, entries_for):
    sandbox.knobs.slow_seconds = 0.5
    settings = settings_for(sandbox, timeout_seconds=0.1, settle_minutes=5)
    entries = entries_for(sandbox, 1)
    sandbox.faults.inject("write_made_late")

    first = record_entries(settings, entries)
    assert isinstance(first.problem, TryAgainLaterError)
    assert (first.entries[0].state, made(sandbox, entries[0])) == (State.UNSURE, [])
    threading.Event().wait(0.6)
    later = record_entries(settings, entries)

    assert later.entries[0].state is State.CONFIRMED
    assert len(sandbox.store.notified_ids) == 1


def test_an_unsure_entry_is_sent_again_once_its_absence_counts(sandbox, settings_for, entries_for):
    settings, entries = settings_for(sandbox, settle_minutes=5), entries_for(sandbox, 1)
    sandbox.faults.inject("write_reset_before")
    record_entries(settings, entries)

    soon = record_entries(settings, entries, clock=lambda: datetime.now(UTC) + timedelta(minutes=4))
    later = record_entries(settings, entries, clock=lambda: datetime.now(UTC) + timedelta(minutes=6))

    assert (soon.entries[0].state, later.entries[0].state) == (State.UNSURE, State.CONFIRMED)
    assert len(sandbox.store.notified_ids) == 1


@pytest.mark.parametrize(
    ("more_faults", "count"),
    [((), 6), pytest.param(("error_500", "reset", "reset_mid_body", "throttle_bare"), 50, marks=pytest.mark.slow)],
)
def test_a_rain_of_faults_leaves_each_entry_once(sandbox, settings_for, entries_for, more_faults, count):
    sandbox.knobs.slow_seconds = 0.05
    for fault in [*WRITE_FAULTS, *more_faults]:
        setattr(sandbox.knobs, f"{fault}_rate", 0.06)
    sandbox.knobs.token_dies_after_requests = 17
    settings, entries = settings_for(sandbox), entries_for(sandbox, count)

    for _ in range(10):
        delivery = record_entries(settings, entries)
        if delivery.problem is None:
            break

    assert delivery.problem is None
    assert [len(made(sandbox, entry)) for entry in entries] == [1] * count
    assert len(sandbox.store.notified_ids) == count


@pytest.mark.parametrize("fault", THROTTLES)
def test_throttled_the_same_request_goes_again_once_allowed(sandbox, settings_for, entries_for, fault):
    sandbox.knobs.throttle_wait_seconds = 0.01
    record_entries(settings_for(sandbox), entries_for(sandbox, 1))  # so that the login is not what is throttled
    sandbox.faults.inject(fault, after=1)
    entry = Entry(invoice_id=next(iter(sandbox.store.invoices)), name="Called", description="Will pay.")

    assert record_entries(settings_for(sandbox), [entry]).problem is None
    assert len(made(sandbox, entry)) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_without_the_role_to_create_nothing_is_left_sending(sandbox, settings_for, entries_for, status):
    sandbox.knobs.roles, sandbox.knobs.missing_role_status = "CoworkerInvoiceHistory-List", status
    settings = settings_for(sandbox)

    delivery = record_entries(settings, entries_for(sandbox, 3))

    assert isinstance(delivery.problem, RefusedError)
    assert "CoworkerInvoiceHistory-Create" in str(delivery.problem)
    # A 401 may come after the entry was made: it is looked for before it is sent again.
    assert sorted(states_in(settings)) == ["planned", "planned", "unsure" if status == 401 else "planned"]
    assert sandbox.store.notified_ids == []


def test_an_unknown_invoice_is_refused_with_the_property_named_and_the_others_go_on(sandbox, settings_for, entries_for):
    unknown, known = Entry(invoice_id=5, name="Called", description="No answer."), entries_for(sandbox, 1)[0]

    delivery = record_entries(settings_for(sandbox), [unknown, known])

    assert [row.state for row in delivery.entries] == [State.REFUSED, State.CONFIRMED]
    assert "CoworkerInvoiceId: was not found" in delivery.entries[0].detail
    assert isinstance(delivery.problem, WrongUseError)


def test_what_was_refused_may_be_asked_for_again(sandbox, settings_for, entries_for):
    settings, (entry,) = settings_for(sandbox), entries_for(sandbox, 1)
    invoice = sandbox.store.invoices.pop(entry.invoice_id)
    assert record_entries(settings, [entry]).entries[0].state is State.REFUSED

    sandbox.store.invoices[entry.invoice_id] = invoice

    assert record_entries(settings, [entry]).entries[0].state is State.CONFIRMED


def test_at_the_day_limit_the_rest_stays_planned_and_another_process_meets_it_too(sandbox, settings_for, entries_for):
    settings, entries = settings_for(sandbox, writes_per_day=2), entries_for(sandbox, 4)

    first = record_entries(settings, entries)
    second = record_entries(settings, entries)

    for delivery in (first, second):
        assert isinstance(delivery.problem, ThrottledError)
        assert "NEXUDUS_WRITES_PER_DAY" in str(delivery.problem)
        assert [row.state for row in delivery.entries] == [State.CONFIRMED] * 2 + [State.PLANNED] * 2
    tomorrow = record_entries(settings, entries, clock=lambda: datetime.now(UTC) + timedelta(days=1))
    assert tomorrow.problem is None


def test_an_entry_left_sending_by_a_process_that_died_is_looked_for(sandbox, settings_for, entries_for):
    settings, (lost, there) = settings_for(sandbox, settle_minutes=5), entries_for(sandbox, 2)
    outbox = Outbox(settings, lambda: datetime.now(UTC))
    for row in outbox.plan([lost, there]):
        outbox.change(row, Claimed())
    sandbox.store.insert(there.invoice_id, there.name, there.text)

    delivery = record_entries(settings, [lost, there])

    assert [row.state for row in delivery.entries] == [State.UNSURE, State.CONFIRMED]
    assert writes_of(sandbox) == 0


def test_an_entry_of_a_lost_warehouse_is_found_rather_than_sent(sandbox, settings_for, entries_for, tmp_path):
    entries = entries_for(sandbox, 1)
    first = record_entries(settings_for(sandbox, data_dir=tmp_path / "lost"), entries)

    again = record_entries(settings_for(sandbox), entries)

    assert again.entries[0].entry_id == first.entries[0].entry_id
    assert len(sandbox.store.notified_ids) == 1


@pytest.mark.parametrize("fault", ["ignored_filter", "login_page", "null_records"])
def test_nothing_is_sent_when_the_look_before_cannot_be_trusted(sandbox, settings_for, entries_for, fault):
    settings = settings_for(sandbox)
    sandbox.faults.inject(fault)

    delivery = record_entries(settings, entries_for(sandbox, 2))

    assert isinstance(delivery.problem, BrokenPromiseError)
    assert (writes_of(sandbox), states_in(settings)) == (0, ["planned"] * 2)


def test_a_reference_on_a_later_page_is_found(sandbox, settings_for, entries_for):
    (entry,) = entries_for(sandbox, 1)
    sandbox.store.insert(entry.invoice_id, entry.name, entry.text)
    for number in range(12):
        sandbox.store.insert(entry.invoice_id, "Note", f"number {number}")
    sandbox.knobs.max_page_size = 3

    record_entries(settings_for(sandbox), [entry])

    assert len(made(sandbox, entry)) == 1
    assert writes_of(sandbox) == 0


def test_when_nothing_gets_a_trusty_answer_it_stops_before_all_are_unsure(sandbox, settings_for, entries_for):
    sandbox.knobs.write_500_before_rate = 1.0
    settings = settings_for(sandbox, settle_minutes=5)

    delivery = record_entries(settings, entries_for(sandbox, 8))

    assert isinstance(delivery.problem, TryAgainLaterError)
    assert (delivery.count(State.UNSURE), delivery.count(State.PLANNED)) == (5, 3)


def test_two_at_once_make_each_entry_once(sandbox, settings_for, entries_for):
    settings, entries = settings_for(sandbox), entries_for(sandbox, 6)
    deliveries = []
    threads = [threading.Thread(target=lambda: deliveries.append(record_entries(settings, entries))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(delivery.summary for delivery in deliveries) == ["6 created", "6 recorded before"]
    assert len(sandbox.store.notified_ids) == 6


def test_a_sync_may_use_the_warehouse_while_entries_are_sent(sandbox, settings_for, entries_for):
    settings, met = settings_for(sandbox), []

    def look_in(done: int, total: int) -> None:
        with open_warehouse(settings, wait_seconds=0) as connection:
            met.append(connection.execute("select count(*) from record.outbox where state = 'confirmed'").fetchone()[0])

    record_entries(settings, entries_for(sandbox, 3), on_entry=look_in)

    assert met == [1, 2, 3]


def test_stopped_by_hand_it_says_how_to_go_on(sandbox, settings_for, entries_for):
    settings, entries = settings_for(sandbox), entries_for(sandbox, 3)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    delivery = record_entries(settings, entries, on_entry=stop)

    assert "run the same command again" in str(delivery.problem)
    assert states_in(settings) == ["confirmed", "planned", "planned"]
    assert record_entries(settings, entries).problem is None
    assert len(sandbox.store.notified_ids) == 3


def test_an_older_warehouse_gets_its_outbox(sandbox, settings_for, entries_for):
    settings = settings_for(sandbox)
    settings.data_dir.mkdir()
    duckdb.connect(settings.warehouse_path).close()

    assert record_entries(settings, entries_for(sandbox, 1)).problem is None


def test_a_lake_keeps_an_outbox_too(sandbox, settings_for, entries_for, tmp_path):
    settings, entries = settings_for(sandbox, **new_warehouse(tmp_path, "lake")), entries_for(sandbox, 2)
    sandbox.faults.inject("write_reset_after")

    record_entries(settings, entries)
    again = record_entries(settings, entries)

    assert (again.summary, again.problem) == ("2 recorded before", None)
    assert len(sandbox.store.notified_ids) == 2
