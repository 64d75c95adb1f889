"""Which invoices are escalated, and that each is, once, while it still should be."""

import shutil
from datetime import timedelta

import duckdb
import pytest
from given_collection import IN_FLIGHT, NO_FUNDS, START, build_models, close_until, land, sync
from on_the_server import writes_of
from sandbox_settings import unpaced_settings
from tested_warehouse import empty_warehouse

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.foundation.sql_files import sql_folder
from pipelines.land.warehouse import open_warehouse
from pipelines.model.building import column_types
from pipelines.model.sql_models import load_models
from pipelines.publish.analytics import publish
from pipelines.record.escalations import due_in, find_due, send_due
from pipelines.record.outbox import Outbox, read
from pipelines.record.states import Claimed, State
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import utc_now

FIGURES = ("monthly_payment_failure_rates", "daily_problem_entries")
FOLLOW_UP = "Payment follow-up"
THREE = (NO_FUNDS,) * 3


@pytest.fixture
def connection():
    with empty_warehouse() as connection:
        yield connection


def remember(connection, invoice, cause, state):
    connection.execute(
        "insert into record.outbox (invoice_id, source, cause, state) values (?, 'escalate', ?, ?)",
        [invoice, cause, state],
    )


def test_an_invoice_is_due_when_its_collection_keeps_failing_and_nothing_else_goes_on(connection):
    land(connection, 1, *THREE)
    land(connection, 2, *THREE[:2])
    land(connection, 3, *THREE, coworker_invoice_paid=True)
    land(connection, 4, *THREE, *THREE, *THREE)  # the last a day ago
    land(connection, 5, *THREE, IN_FLIGHT)
    land(connection, 6, *THREE, coworker_invoice_refunded=True)
    land(connection, 7, *THREE, "SUCCESS: The payment was collected.")
    land(connection, 8, *THREE, (FOLLOW_UP, "Told. [ref 0123456789ab]"))
    land(connection, 9, *THREE, (FOLLOW_UP, "Told. [ref 0123456789ab]"), NO_FUNDS)
    land(connection, 10, *THREE, ("Called", "No answer. [ref 0123456789ab]"))
    land(connection, 11, *THREE, coworker_invoice_draft=True)
    land(connection, 12, *THREE, coworker_invoice_total_amount=0)
    land(connection, 13, *THREE)
    land(connection, 14, *THREE)
    land(connection, 15, *THREE)
    land(connection, 16, *THREE)
    remember(connection, 13, "failed attempt 1302", "confirmed")
    remember(connection, 14, "failed attempt 1302", "refused")
    remember(connection, 14, "failed attempt 1402", "refused")
    remember(connection, 15, "failed attempt 1501", "confirmed")
    remember(connection, 16, "failed attempt 1602", "unsure")
    close_until(connection, START + timedelta(days=9))
    build_models(connection)

    assert sorted(one.invoice_id for one in due_in(connection).escalations) == [1, 9, 10, 15, 16]


def test_the_entry_says_what_happened_and_carries_flag_and_notification(connection):
    land(connection, 1, *THREE)
    land(connection, 2, *THREE, coworker_invoice_business_currency_code=None, coworker_invoice_total_amount="7.125")
    close_until(connection, START + timedelta(days=9))
    build_models(connection)

    one, two = due_in(connection).escalations

    assert one.description == (
        "3 attempts to collect this invoice have failed, the last on 03 March 2025 (insufficient funds). "
        "120.00 GBP is open."
    )
    assert two.description.endswith("7.1250 is open.")
    assert (one.name, one.is_problem, one.notify, one.cause) == (FOLLOW_UP, True, True, "failed attempt 102")
    assert one.entry.reference != two.entry.reference


def test_the_header_documents_the_columns_that_there_are(connection):
    build_models(connection)
    (model,) = load_models(sql_folder("record"), checks=sql_folder("record") / "checks")
    connection.execute(f"create view documented as {model.sql}")

    assert list(column_types(connection, "documented")) == list(model.columns)


@pytest.fixture
def sandbox_operator():
    return make_operator(size=300, months=3)


def let_three_fail(store):
    """Ids of three open invoices that now have failed three times, the last four days ago."""
    invoices = [one for one in store.invoices.values() if one.paid_on is None and not one.draft and one.amount > 0][:3]
    for invoice in invoices:
        for entry in list(invoice.entries):
            store.delete(entry.id)
        for days in (10, 7, 4):
            store.insert(
                invoice.id, "Payment Result", NO_FUNDS, is_problem=True, created_on=store.until - days * 86_400,
                updated_on=store.until - days * 86_400,
            )  # fmt: skip
    return {one.id for one in invoices}


@pytest.fixture(scope="module")
def synced(tmp_path_factory):
    """The warehouse of a sandbox in which three invoices are due."""
    with running_sandbox(make_operator(size=300, months=3)) as running:
        running.clock.freeze(running.store.until)
        failing = let_three_fail(running.store)
        settings = unpaced_settings(running, tmp_path_factory.mktemp("synced"))
        sync(settings, *FIGURES)
        assert failing <= due_ids(settings)
    return settings.data_dir


@pytest.fixture
def failing(sandbox, settings_for, synced):
    """Settings of the same sandbox, running anew, and of a copy of that warehouse."""
    let_three_fail(sandbox.store)
    settings = settings_for(sandbox)
    shutil.copytree(synced, settings.data_dir)
    return settings


def due_ids(settings):
    return {one.invoice_id for one in find_due(settings).escalations}


def test_each_follow_up_is_sent_once_and_changes_no_figure(sandbox, failing):
    due = due_ids(failing)
    figures = "select * from model.monthly_payment_failure_rates order by all"
    problems = "select * from model.daily_problem_entries order by all"
    with open_warehouse(failing) as connection:
        before = connection.execute(figures).fetchall(), connection.execute(problems).fetchall()

    first = send_due(failing, limit=2)
    assert (first.count(State.CONFIRMED), first.problem) == (2, None)
    rest = send_due(failing)
    assert {row.invoice_id for row in first.entries + rest.entries} == due
    assert send_due(failing).summary == "nothing to do"
    sync(failing, *FIGURES)
    assert send_due(failing).summary == "nothing to do"

    assert len(sandbox.store.notified_ids) == len(due) == writes_of(sandbox)
    with open_warehouse(failing) as connection:
        assert (connection.execute(figures).fetchall(), connection.execute(problems).fetchall()) == before
        kinds = connection.execute(
            "select kind, has_problem, is_problem, count(*) from model.history_entries where name = ? group by all",
            [FOLLOW_UP],
        ).fetchall()
    assert kinds == [("own_record", False, True, len(due))]


def test_a_new_failure_makes_it_due_again(sandbox, failing):
    done = send_due(failing).entries[0].invoice_id
    sandbox.clock.advance(86_400)
    sandbox.store.insert(done, "Payment Result", NO_FUNDS, is_problem=True)
    sandbox.clock.advance(3 * 86_400)
    sync(failing)

    assert done in due_ids(failing)


def test_an_invoice_paid_since_the_sync_is_left_alone(sandbox, failing):
    paid = min(due_ids(failing))
    sandbox.store.pay(paid)

    delivery = send_due(failing)

    (row,) = (row for row in delivery.entries if row.invoice_id == paid)
    assert (row.state, row.detail) == (State.REFUSED, "the invoice has been paid in the meantime, so nothing was sent")
    assert (len(delivery.withdrawn), delivery.problem) == (1, None)
    assert paid not in {sandbox.store.get(entry_id).invoice.id for entry_id in sandbox.store.notified_ids}


def test_what_an_earlier_run_left_and_is_due_no_longer_is_let_go(sandbox, failing):
    planned, sent, *_ = entries = [one.entry for one in find_due(failing).escalations]
    outbox = Outbox(failing, utc_now)
    _, row = outbox.plan([planned, sent])
    outbox.change(row, Claimed())
    there = sandbox.store.insert(sent.invoice_id, sent.name, sent.text)
    sandbox.store.pay(planned.invoice_id)
    sandbox.store.pay(sent.invoice_id)
    sync(failing)

    send_due(failing)

    with open_warehouse(failing) as connection:
        rows = read(connection, [entry.reference for entry in entries])
    assert "no longer due" in rows[planned.reference].detail
    assert rows[sent.reference].entry_id == there.id


def test_figures_of_two_days_ago_send_nothing(sandbox, failing):
    sandbox.clock.advance(2 * 86_400)

    with pytest.raises(TryAgainLaterError, match="nexudus-billing sync"):
        send_due(failing)
    assert writes_of(sandbox) == 0


def test_without_figures_it_says_to_sync(sandbox, settings_for):
    settings = settings_for(sandbox)
    with pytest.raises(WrongUseError, match="nexudus-billing sync"):
        find_due(settings)
    with open_warehouse(settings):
        pass
    with pytest.raises(WrongUseError, match="nexudus-billing sync"):
        find_due(settings)


def test_what_was_recorded_is_published_with_personal_text_only_where_that_is_wanted(sandbox, failing, tmp_path):
    send_due(failing, limit=1)
    sync(failing, *(model.name for model in load_models()))

    for personal_data in (True, False):
        with open_warehouse(failing) as connection:
            publish(connection, load_models(), tmp_path / "out.duckdb", personal_data=personal_data)
        with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as published:
            found = published.execute(
                "select source, state, is_synced, notification_was_requested, entry_id, currency_code,"
                " description is not null"
                " from recorded_entries"
            ).fetchall()
        (entry_id,) = sandbox.store.notified_ids
        currency = sandbox.store.get(entry_id).invoice.member.business.currency_code
        assert found == [("escalate", "confirmed", True, True, entry_id, currency, personal_data)]


def land_invoice(connection, invoice, **facts):
    at = START + timedelta(days=5)
    usual = {"id": invoice, "total_amount": 120, "paid_amount": 0, "draft": False, "void": False, "paid": False}
    row = usual | {"refunded": False, "credited_amount": 0, "created_on": at, "updated_on": at, "seen_at": at} | facts
    marks = ", ".join(f"${name}" for name in row)
    connection.execute(f"insert into land.coworker_invoices ({', '.join(row)}) values ({marks})", row)


def test_an_invoice_that_is_void_credited_paid_or_a_draft_is_never_due_whatever_its_entries_say(connection):
    states = {
        1: {},
        2: {"void": True},
        3: {"draft": True},
        4: {"paid": True},
        5: {"credited_amount": 120},
        6: {"due_amount": 0},
        7: {"original_invoice_guid": "f3"},
        8: {"refunded": True},
        9: {"deleted_at": START + timedelta(days=6)},
        10: {"total_amount": -120},
        11: {"paid_amount": 40},
        12: {"due_amount": "30.5", "credit_note": True},
    }
    for invoice, facts in states.items():
        land(connection, invoice, *THREE)
        land_invoice(connection, invoice, **facts)
    close_until(connection, START + timedelta(days=9))
    build_models(connection)

    due = {one.invoice_id: one.description.split(". ")[1] for one in due_in(connection).escalations}

    assert due == {1: "120.00 GBP is open.", 11: "80.00 GBP is open.", 12: "30.50 GBP is open."}


@pytest.mark.parametrize("change", ["void", "credit", "delete_invoice", "pay", "draft"])
def test_an_invoice_is_looked_at_again_just_before_something_is_sent_about_it(sandbox, failing, change):
    first, changed, *_ = sorted(due_ids(failing))
    if change == "draft":
        sandbox.store.invoices[changed].draft = True
    elif change == "delete_invoice":
        del sandbox.store.invoices[changed]
    else:
        getattr(sandbox.store, change)(changed)

    delivery = send_due(failing)

    states = {row.invoice_id: row.state for row in delivery.entries}
    assert (states[changed], states[first]) == (State.REFUSED, State.CONFIRMED)
    assert len(delivery.withdrawn) == 1
    assert delivery.note == ""


def test_where_invoices_cannot_be_read_nothing_notifies_unless_asked_to(sandbox, failing):
    sandbox.knobs.roles = "CoworkerInvoiceHistory-List,CoworkerInvoiceHistory-Create"

    silent = send_due(failing, limit=1)
    assert silent.count(State.CONFIRMED) == 1
    assert "voided" in silent.note
    assert sandbox.store.notified_ids == []
    with open_warehouse(failing) as connection:
        assert connection.execute("select notify from record.outbox where state = 'confirmed'").fetchall() == [(False,)]

    assert send_due(failing, limit=1, notify=True).count(State.CONFIRMED) == 1
    assert len(sandbox.store.notified_ids) == 1


def test_where_invoices_were_never_read_the_list_says_so_and_an_unsure_entry_is_sent_again_without_notification(
    sandbox, settings_for, failing
):
    settings = settings_for(sandbox, invoices="off")
    assert "voided" in find_due(settings).note
    entry = find_due(settings).escalations[0].entry
    outbox = Outbox(settings, utc_now)
    (row,) = outbox.plan([entry])
    assert outbox.change(row, Claimed()).notify

    send_due(settings)

    assert sandbox.store.notified_ids == []
