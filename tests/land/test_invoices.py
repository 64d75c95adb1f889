"""Invoices through the general code: read by UpdatedOn, open ones again by id, none of their secrets kept."""

from datetime import timedelta
from random import Random

import pytest

from pipelines.errors import IgnoredFilterError
from pipelines.extract.client import NexudusClient
from pipelines.extract.histories import HISTORIES
from pipelines.extract.invoices import INVOICES
from pipelines.land.catching_up import catch_up, read_newest
from pipelines.land.pull_settings import history_until, lookback_of, pull_for
from pipelines.land.reconcile import reconcile_covered
from pipelines.land.warehouse import open_warehouse
from pipelines.sandbox.invoice_list import INVOICE_LIST
from pipelines.sandbox.invoice_wire import CANARY
from pipelines.sandbox.life import EVENTS
from pipelines.sandbox.operators import make_operator

FIELDS = ("id", "updated_on", "total_amount", "paid_amount", "credited_amount", "paid", "paid_on", "void", "due_amount")


@pytest.fixture
def sandbox_operator():
    return make_operator(size=2_500, months=6)


class Account:
    """A sandbox and the warehouse of its account."""

    def __init__(self, sandbox, settings, client, connection):
        self.sandbox, self.settings, self.client, self.connection = sandbox, settings, client, connection
        self.run_count = 0

    def pull(self, entity=INVOICES):
        self.run_count += 1
        return pull_for(self.settings, self.connection, self.client, f"run {self.run_count}", entity)

    @property
    def history(self):
        return history_until(self.settings, self.sandbox.clock.now_at())

    def sync(self, entity=INVOICES):
        """What the sync did, and how many requests it took."""
        pull, before = self.pull(entity), self.client.data_request_count
        catch_up(pull, self.history, lookback_of(self.settings))
        return pull.report, self.client.data_request_count - before

    def reconcile(self):
        pull = self.pull()
        reconcile_covered(pull, lambda: read_newest(pull, self.history, lookback_of(self.settings)))
        return pull.report

    def all(self, query):
        return self.connection.execute(query).fetchall()

    def live(self):
        rows = self.all(f"select {', '.join(FIELDS)} from land.coworker_invoices where deleted_at is null")
        return {row[0]: row for row in rows}

    def truth(self):
        return {
            one["Id"]: tuple(one.get(INVOICES.contract.columns[name]) for name in FIELDS)
            for one in self.sandbox.store.invoice_truth()
        }

    def open_count(self):
        return sum(one.is_open for one in self.sandbox.store.invoices.values())

    def some_open(self):
        return (one for one in self.sandbox.store.invoices.values() if one.is_open and one.due > 1)


@pytest.fixture
def account(sandbox, settings_for):
    sandbox.clock.advance(timedelta(minutes=10))
    settings = settings_for(sandbox)
    with NexudusClient(settings) as client, open_warehouse(settings) as connection:
        yield Account(sandbox, settings, client, connection)


def test_every_invoice_lands_and_hardly_anything_is_read_twice_at_first(account):
    report, requests = account.sync()

    assert account.live() == account.truth()
    assert report.rows.new == len(account.truth())
    # Those paid since the newest UpdatedOn: our clock may have been ahead when they were read.
    assert sum(report.rows) - report.rows.new <= 5
    assert requests <= -(-len(account.truth()) // 1000) + 4


@pytest.mark.parametrize("event", ["pay", "part_pay", "void", "credit"])
def test_what_becomes_of_an_open_invoice_is_seen_at_the_next_sync(account, event):
    account.sync()
    invoice = next(account.some_open())
    account.sandbox.clock.advance(timedelta(hours=30))
    if event == "pay":  # back-dated, so that no range of the last day holds it
        account.sandbox.store.pay(invoice.id, account.sandbox.clock.now_at() - timedelta(days=20), fee=99)
    else:
        getattr(account.sandbox.store, event)(invoice.id)
    account.sandbox.clock.advance(timedelta(hours=1))

    account.sync()

    assert account.live() == account.truth()


def test_a_refund_that_an_entry_shows_is_seen_though_the_invoice_was_not_open(account):
    account.sync(HISTORIES)
    account.sync()
    invoice = next(
        one for one in account.sandbox.store.invoices.values() if one.paid_on and one.entries and not one.refunded_on
    )
    account.sandbox.clock.advance(timedelta(hours=5))
    account.sandbox.store.refund(invoice.id)
    account.sandbox.clock.advance(timedelta(hours=1))

    account.sync(HISTORIES)
    account.sync()

    assert account.all(f"select refunded from land.coworker_invoices where id = {invoice.id}") == [(True,)]


def test_a_day_with_nothing_new_asks_little_and_once_for_a_hundred_open_invoices(account):
    store = account.sandbox.store
    for invoice in [one for one in store.by_paid_on.items if one.amount > 0][:250]:
        store.by_paid_on.remove(invoice)
        invoice.paid_on = invoice.refunded_on = None
    for entity in (HISTORIES, INVOICES):
        account.sync(entity)
    account.sandbox.clock.advance(timedelta(days=1))

    asked = [account.sync(entity)[1] for entity in (HISTORIES, INVOICES)]

    assert account.open_count() > 200
    assert sum(asked) <= 5 + -(-account.open_count() // 100)  # at most 8 and these are promised


@pytest.mark.parametrize("most", [1, 7, 40])
def test_a_server_that_finds_fewer_at_once_than_were_named_is_asked_again(account, most):
    account.sync()
    account.sandbox.knobs.most_ids_at_once = most
    for invoice in list(account.some_open()):
        account.sandbox.store.part_pay(invoice.id)
    account.sandbox.clock.advance(timedelta(hours=1))

    _, requests = account.sync()

    assert account.live() == account.truth()
    assert requests <= 8 + 2 * account.open_count() // most


def test_a_server_that_takes_no_list_of_ids_is_asked_one_by_one(account):
    account.sync()
    table = account.sandbox.tables[INVOICE_LIST.path]
    found = table.by_value["Id"]
    table.by_value["Id"] = lambda ids: found(ids) if len(ids) == 1 else table.indexes["Id"].items
    account.sandbox.store.part_pay(next(account.some_open()).id)
    account.sandbox.clock.advance(timedelta(hours=1))

    account.sync()

    assert account.live() == account.truth()


def test_a_filter_by_id_that_is_ignored_is_an_error(account):
    account.sync()
    account.sandbox.tables[INVOICE_LIST.path].by_value["Id"] = lambda _: list(account.sandbox.store.invoices.values())
    account.sandbox.clock.advance(timedelta(hours=1))

    with pytest.raises(IgnoredFilterError, match="ignore the filter id"):
        account.sync()


def test_a_deleted_invoice_is_found_by_reconcile_and_costs_a_sync_one_request(account):
    account.sync()
    invoice = next(account.some_open())
    account.sandbox.store.delete_invoice(invoice.id)
    account.sandbox.clock.advance(timedelta(hours=1))
    _, requests = account.sync()
    assert requests <= 3 + -(-account.open_count() // 100)

    assert account.reconcile().deleted_count == 1
    assert account.live() == account.truth()
    assert account.sync()[1] <= 2 + -(-account.open_count() // 100)


ENTRY_FIELDS = ("id", "updated_on", "description", "coworker_invoice_id")


def check_that_both_tables_become_the_source(account, seed):
    """Life goes on between any two answers, payments that move no UpdatedOn too. A sync in quiet ends in the truth."""
    random, sandbox, knobs = Random(seed), account.sandbox, account.sandbox.knobs
    knobs.seed, knobs.shuffle_ties = seed, True
    knobs.most_ids_at_once = random.choice([0, 1, 7, 40])
    knobs.max_page_size = random.choice([100, 500, 1000])
    knobs.range_end = random.choice(["second", "minute", "whole_minute", "exclusive"])
    knobs.dir_convention = random.choice(["0/1", "1/-1"])
    knobs.clock_step_seconds = random.choice([0.0, 2.0, 30.0])
    for event in EVENTS:
        setattr(knobs, f"{event}_rate", random.choice([0, 0.3, 1.5]))
    for _ in range(3):
        for entity in (HISTORIES, INVOICES):
            account.sync(entity)
        sandbox.clock.advance(timedelta(hours=random.choice([1, 6, 200])))
        for invoice in random.sample(list(sandbox.store.invoices.values()), 20):
            if invoice.is_open:  # back-dated, so that no range of PaidOn holds it either
                sandbox.store.pay(invoice.id, sandbox.clock.now() - random.randrange(40 * 86_400), fee=50)
    for event in EVENTS:
        setattr(knobs, f"{event}_rate", 0)
    sandbox.clock.advance(timedelta(hours=6))
    for entity in (HISTORIES, INVOICES):
        account.sync(entity)

    assert account.live() == account.truth()
    wire = HISTORIES.contract.columns
    truth = {row["Id"]: tuple(row[wire[name]] for name in ENTRY_FIELDS) for row in sandbox.store.truth()}
    rows = account.all(f"select {', '.join(ENTRY_FIELDS)} from land.coworker_invoice_histories")
    landed = {row[0]: row for row in rows}
    assert {key: landed.get(key) for key in truth} == truth
    assert sum(sandbox.store.changes.values()) > 20  # else hardly anything happened


@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_sync_in_quiet_entries_and_invoices_are_the_source(account, seed):
    check_that_both_tables_become_the_source(account, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 43))
def test_after_a_sync_in_quiet_entries_and_invoices_are_the_source_at_length(account, seed):
    check_that_both_tables_become_the_source(account, seed)


def test_no_secret_is_in_any_file_of_the_data_directory(account):
    knobs = account.sandbox.knobs
    knobs.wrong_type_rate, knobs.unknown_field_rate = 0.2, 0.2
    account.sync()

    assert account.all("select count(*) > 0 from land.rejected_records where entity = 'CoworkerInvoice'") == [(True,)]
    account.connection.execute("checkpoint warehouse")
    kept = [file for file in account.settings.data_dir.rglob("*") if file.is_file()]
    assert kept
    assert not [file for file in kept if CANARY.encode() in file.read_bytes()]
    for table in ("coworker_invoices", "coworker_invoice_versions", "rejected_records"):
        assert CANARY not in str(account.all(f"select * from land.{table}"))


def test_whether_there_is_a_mandate_or_a_card_is_kept(account):
    account.sync()
    held = dict(account.all("select id, (has_card, has_go_cardless_contract) from land.coworker_invoices"))
    for one in account.sandbox.store.invoices.values():
        assert held[one.id] == (one.way == "card", one.way == "debit")


def test_times_and_amounts_as_text_and_unknown_fields_land(account):
    knobs = account.sandbox.knobs
    knobs.total_amount_type = knobs.flag_type = knobs.time_form = "mixed"
    knobs.unknown_field_rate = 0.5
    account.sync()

    truth, live = account.truth(), account.live()
    amount, paid = FIELDS.index("total_amount"), FIELDS.index("paid")
    assert {key: (row[amount], row[paid]) for key, row in live.items()} == {
        key: (row[amount], row[paid]) for key, row in truth.items()
    }
