"""Whether invoices are read: by NEXUDUS_INVOICES, and by a role that is missing, granted later, or taken away."""

from datetime import timedelta

import dagster as dg
import pytest

from pipelines.errors import IgnoredFilterError, RefusedError
from pipelines.land.invoice_access import invoice_state
from pipelines.land.invoices_asset import INVOICES_KEY, invoices_asset
from pipelines.land.landed_assets import RECONCILIATIONS, landed_assets
from pipelines.land.warehouse import open_warehouse
from pipelines.sandbox.invoice_list import INVOICE_LIST

ENTRIES_ONLY = "CoworkerInvoiceHistory-List"
BOTH = f"{ENTRIES_ONLY},CoworkerInvoice-List"


class Account:
    def __init__(self, sandbox, settings_for):
        self.sandbox, self.settings_for, self.told = sandbox, settings_for, []

    def sync(self, mode="auto", *, reconcile=False):
        """What Dagster shows of the invoices after a run, and how often their list was asked for."""
        settings = self.settings_for(self.sandbox, invoices=mode)
        before = self.asked
        clock = self.sandbox.clock.now_at
        assets = (
            landed_assets(settings, self.told.append, clock)
            if reconcile
            else [invoices_asset(settings, self.told.append, clock)]
        )
        result = dg.materialize(assets, selection=[RECONCILIATIONS] if reconcile else [INVOICES_KEY])
        with open_warehouse(settings) as connection:
            state = invoice_state(connection, settings)
        shown = result.get_asset_materialization_events()[0].materialization.metadata
        return state, self.asked - before, shown

    @property
    def asked(self):
        return sum(one.path == INVOICE_LIST.path for one in self.sandbox.requests.seen)


@pytest.fixture
def account(sandbox, settings_for):
    sandbox.clock.advance(timedelta(minutes=10))
    return Account(sandbox, settings_for)


def test_where_the_role_is_granted_they_are_read(account):
    state, _, shown = account.sync()

    assert state.row_count == len(account.sandbox.store.invoices) == shown["dagster/row_count"].value
    assert (state.refusal, state.warning) == (None, None)
    assert state.sentence == f"{state.row_count} held, complete until 2025-06-30 12:05 UTC"
    assert account.told[-1].data_request_count > 0


@pytest.mark.parametrize("status", [401, 403])
def test_without_the_role_a_sync_goes_on_and_says_what_is_missing(account, status):
    account.sandbox.knobs.roles, account.sandbox.knobs.missing_role_status = ENTRIES_ONLY, status

    state, _, shown = account.sync()

    assert (state.row_count, state.sentence) == (0, "not read") == (0, shown["invoices"].value)
    assert "voided, credited and part-paid invoices count as open" in state.warning
    assert "`CoworkerInvoice-List`" in state.warning
    assert "NEXUDUS_INVOICES=off" in state.warning


def test_a_missing_role_is_asked_about_once_a_day_and_one_that_is_granted_is_used(account):
    account.sandbox.knobs.roles = ENTRIES_ONLY
    account.sync()
    account.sandbox.clock.advance(timedelta(hours=1))
    assert account.sync()[1] == 0

    account.sandbox.knobs.roles = BOTH
    account.sandbox.clock.advance(timedelta(hours=23))
    state, asked, _ = account.sync()

    assert asked > 0
    assert state.row_count == len(account.sandbox.store.invoices)
    assert state.warning is None


def test_a_role_that_is_taken_away_leaves_what_was_read(account):
    before, _, _ = account.sync()
    account.sandbox.knobs.roles = ENTRIES_ONLY
    account.sandbox.clock.advance(timedelta(days=1))

    state, _, _ = account.sync()

    assert state.row_count == before.row_count > 0
    assert state.sentence == f"not read; {before.sentence}"
    assert "`CoworkerInvoice-List`" in state.warning


def test_where_they_must_be_read_a_missing_role_fails_each_time(account):
    account.sandbox.knobs.roles = ENTRIES_ONLY
    for _ in range(2):
        with pytest.raises(RefusedError, match="`CoworkerInvoice-List`") as caught:
            account.sync("on")
    assert caught.value.exit_code == 3


def test_off_asks_nothing_and_says_so(account):
    state, asked, _ = account.sync("off")

    assert asked == 0
    assert state.sentence == "not read, for NEXUDUS_INVOICES is off"
    assert state.warning is None


def test_reconcile_compares_invoices_too_where_they_are_read(account):
    account.sync()
    gone = next(one for one in account.sandbox.store.invoices.values() if not one.is_open)
    account.sandbox.store.delete_invoice(gone.id)

    account.sync(reconcile=True)
    account.sync("off", reconcile=True)

    with open_warehouse(account.settings_for(account.sandbox)) as connection:
        rows = connection.execute("select id from land.coworker_invoices where deleted_at is not null").fetchall()
        noted = connection.execute("select entity, deleted_count from land.reconciliations order by all").fetchall()
    assert rows == [(gone.id,)]
    assert [one for one in noted if one[0] == "CoworkerInvoice"] == [("CoworkerInvoice", 1)]


def test_where_the_api_ignores_the_filter_by_id_a_sync_goes_on_and_says_so(account):
    account.sync()
    store = account.sandbox.store
    account.sandbox.tables[INVOICE_LIST.path].by_value["Id"] = lambda _: list(store.invoices.values())
    account.sandbox.clock.advance(timedelta(hours=1))

    state, _, _ = account.sync()

    assert (state.is_read, state.row_count) == (False, len(store.invoices))
    assert "seems to ignore the filter id" in state.warning
    with pytest.raises(IgnoredFilterError):
        account.sync("on")
