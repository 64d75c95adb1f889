"""The emulated tenant is the same from the same seed, and believable."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rate_oracle import kind_of

from pipelines.sandbox.operators import DEFAULT_UNTIL, make_operator
from pipelines.sandbox.wire import record
from pipelines.sandbox.wording import WORSENING_PLACE


@pytest.fixture(scope="module")
def operator():
    return make_operator(size=12_000, months=12)


@pytest.fixture(scope="module")
def records(operator):
    return [record(entry) for entry in operator.entries]


def outcome(entry):
    """Whether an entry is a failed attempt, a success, or neither."""
    kind = kind_of({"Name": entry.name, "Description": entry.description})
    return None if kind == "pending" else kind


def test_the_same_seed_makes_the_same_tenant_and_another_does_not(records):
    assert records == [record(entry) for entry in make_operator(size=12_000, months=12).entries]
    assert records != [record(entry) for entry in make_operator(size=12_000, months=12, seed=2).entries]


@pytest.mark.parametrize(("size", "months"), [(300, 1), (5000, 6), (20_000, 36)])
def test_size_and_span_are_as_asked(size, months):
    operator = make_operator(size=size, months=months)
    assert size <= len(operator.entries) < size + 200
    created = [entry.created_on for entry in operator.entries]
    assert max(created) <= operator.until
    assert operator.until - min(created) <= months * 31 * 86_400


def test_twelve_businesses_bill_in_five_currencies_each_with_its_decimals(operator, records):
    businesses = Counter(one.currency_code for one in operator.businesses)
    assert businesses == {"GBP": 4, "EUR": 4, "USD": 2, "JPY": 1, "KWD": 1}
    exponents = {
        (one["CoworkerInvoiceBusinessCurrencyCode"], one["CoworkerInvoiceTotalAmount"].as_tuple().exponent)
        for one in records
    }
    assert exponents == {("GBP", -2), ("EUR", -2), ("USD", -2), ("JPY", 0), ("KWD", -3)}


def test_ids_are_unique_and_lie_on_both_sides_of_32_bits():
    ids = [entry.id for entry in make_operator(size=40_000).entries]
    assert len(set(ids)) == len(ids)
    assert min(ids) < 2**31 < max(ids)


def test_no_row_is_updated_before_it_was_created_and_some_are_later(operator):
    later = [entry.updated_on - entry.created_on for entry in operator.entries]
    assert min(later) == 0
    assert 0.03 < sum(span > 0 for span in later) / len(later) < 0.09


def test_most_collections_run_at_night_in_batches_with_ties(operator):
    collected = [one for one in operator.entries if one.name == "Payment Result" and "AWAITING" in one.description]
    hours = Counter(datetime.fromtimestamp(one.created_on, UTC).hour for one in collected)
    assert sum(hours[hour] for hour in (22, 23, 0, 1)) / len(collected) > 0.85
    ties = Counter(entry.updated_on for entry in operator.entries)
    assert max(ties.values()) >= 5


def test_failures_are_hidden_and_problems_are_not_all_payments(operator):
    failed = Counter(entry.is_problem for entry in operator.entries if outcome(entry) == "failed")
    assert min(failed[True], failed[False]) > 50
    assert sum(entry.is_problem and entry.name == "E-invoice" for entry in operator.entries) > 20
    names = {entry.name for entry in operator.entries}
    assert names >= {"Invoice sent", "Payment Result", "Payment received", "E-invoice", "Refund", "Invoice drafted"}
    assert any("requested regular payment subscription" in entry.description for entry in operator.entries)


def test_each_business_speaks_as_its_provider_and_in_its_language(operator):
    words = {
        "Manchester Northern Quarter": "AWAITING: GoCardless payment",
        "Bristol Harbourside": "SUCCESS: Charge of",
        "Dublin Silicon Docks": "SUCCESS: [Settled]",
        "Austin East Sixth": "SUCCESS: PayPal payment of ",
        "Leith Walk Studios": "Debit sent to the bank",
        "Madrid Malasaña": "SUCCESS: El cobro",
        "Berlin Kreuzberg": "AWAITING: Lastschrift",
        "Tokyo Nakameguro": "AWAITING: 決済は処理中",
        "Kuwait City Sharq": "AWAITING: بانتظار",
    }
    found = {(one.invoice.member.business.name, one.description) for one in operator.entries}
    for business, start in words.items():
        assert {place for place, text in found if text.startswith(start) and place in words} == {business}
    assert {one.provider for one in operator.businesses} == {"gocardless", "stripe", "adyen", "paypal", "manual"}


def test_some_invoices_are_zero_drafts_refunded_open_or_paid_after_retries(operator):
    assert any(one.total_amount == 0 for one in operator.invoices)
    assert any(one.draft and one.paid_on is None for one in operator.invoices)
    assert any(one.refunded_on is not None for one in operator.invoices)
    assert any(one.paid_on is None and not one.draft for one in operator.invoices)
    letters = {"failed": "F", "succeeded": "S", None: ""}
    stories = ["".join(letters[outcome(entry)] for entry in one.entries) for one in operator.invoices]
    assert sum("FS" in story for story in stories) > 50
    assert all(one.paid_on is None or one.paid_on <= operator.until for one in operator.invoices)


def test_failures_worsen_at_one_business_in_the_last_six_weeks(operator):
    recent = int((DEFAULT_UNTIL - timedelta(days=42)).timestamp())

    def ratio(there, *, late):
        outcomes = Counter(
            outcome(entry)
            for entry in operator.entries
            if (entry.created_on >= recent) == late and (entry.invoice.member.business.name == WORSENING_PLACE) == there
        )
        return Decimal(outcomes["failed"]) / (outcomes["failed"] + outcomes["succeeded"])

    assert ratio(True, late=True) > 2 * ratio(True, late=False)
    assert ratio(True, late=True) > 2 * ratio(False, late=True)
    assert ratio(False, late=True) < Decimal("1.5") * ratio(False, late=False)


def test_a_minute_can_be_made_fuller_than_a_page():
    entries = make_operator(size=4000, months=3, dense_minute_entries=1500).entries
    ((minute, count),) = Counter(entry.updated_on // 60 * 60 for entry in entries if entry.updated_on).most_common(1)
    assert count >= 1400
    assert datetime.fromtimestamp(minute, UTC).strftime("%H:%M") == "23:17"
