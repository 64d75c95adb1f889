"""The explanation of a rate: from the published tables, with or without personal data, or why there is none."""

from datetime import date
from decimal import Decimal

import pytest
from given import IN_FLIGHT, NO_FUNDS, SUCCESS, entry, land, model

from pipelines.errors import WrongUseError
from pipelines.model.explain import explain, parse_month

MARCH = date(2025, 3, 1)


@pytest.fixture
def published(warehouse):
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, currency=None),
        entry(2, 2, SUCCESS, 1, currency=None),
        entry(3, 3, IN_FLIGHT, 2, currency=None),
        entry(4, 4, NO_FUNDS, 3, currency=None, draft=True),
        entry(5, 5, NO_FUNDS, 4, currency=None, deleted_at=None, business=8),
        entry(6, 2, "Payment of 100 received.", 2, name="Payment received", currency=None),
    )
    model(warehouse)
    for table in ("monthly_payment_failure_rates", "invoices", "history_entries", "repeated_reports"):
        warehouse.execute(f"create table main.{table} as from model.{table}")
    warehouse.execute("update main.history_entries set description = null")
    return warehouse


def test_each_entry_has_its_part_its_rule_and_a_text_that_may_be_published(published):
    answer = explain(published, 7, None, MARCH)
    found = [(each.entry_id, each.part, each.rule_name, each.excluded_because) for each in answer.entries]
    assert found == [
        (1, "failed", "insufficient_funds", None),
        (2, "succeeded", "succeeded_by_prefix", None),
        (3, "pending", "in_flight", None),
        (6, "left out", "succeeded_by_name", "reported_twice"),
        (4, "left out", "insufficient_funds", "draft_invoice"),
    ]
    assert (answer.attempt_failure_ratio, answer.pending_count, answer.excluded_attempt_count) == (1 / 2, 1, 2)
    assert (answer.entries[0].description, answer.entries[0].invoice_amount) == (NO_FUNDS, Decimal(100))


def test_a_month_without_entries_names_those_that_have_some(published):
    with pytest.raises(
        WrongUseError, match=r"no payment entries in GBP in 2025-03; there are some in no currency from 2025-03"
    ):
        explain(published, 7, "GBP", MARCH)
    with pytest.raises(WrongUseError, match=r"Business 9 .* nor in any other month"):
        explain(published, 9, "GBP", MARCH)


def test_a_month_is_written_year_and_month():
    assert parse_month("2025-03") == MARCH
    for wrong in ("2025", "2025-13", "03-2025", "2025-03-01", ""):
        with pytest.raises(WrongUseError, match="YYYY-MM"):
            parse_month(wrong)
