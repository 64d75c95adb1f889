"""A rate whose words are not understood is null with the reason, never a number."""

import pytest
from given import NO_FUNDS, START, SUCCESS, entry, land, model, row, rows

from pipelines.model import wording_warnings

CZECH = "Platba byla přijata."


def month(business, success, numbers, at=0, name="Payment Result"):
    """Twenty failures, and forty invoices that were paid and say so in these words."""
    for number in numbers:
        failed = number % 3 == 0
        text = NO_FUNDS if failed else success
        paid_on = None if failed else START
        yield entry(number, number, text, at, name=name, is_problem=failed, business=business, paid_on=paid_on)


RATES = (
    "select attempt_count, attempt_failure_ratio, first_attempt_failure_ratio, first_attempt_failure_high_ratio,"
    " amount_failure_ratio, with_method_attempt_failure_ratio, no_rate_because from model.{} where business_id = {}"
)


@pytest.mark.parametrize("table", ["daily_payment_failure_rates", "monthly_payment_failure_rates"])
def test_successes_in_words_that_nobody_taught_leave_no_rate_but_the_counts(warehouse, table):
    land(warehouse, *month(1, SUCCESS, range(60)), *month(2, CZECH, range(100, 160)))
    model(warehouse)
    assert rows(warehouse, RATES.format(table, 1))[0]["attempt_failure_ratio"] == 20 / 60
    (without,) = warehouse.execute(RATES.format(table, 2)).fetchall()
    assert without == (20, None, None, None, None, None, "wording_not_understood")


def test_coverage_counts_entries_flagged_entries_and_paid_invoices(warehouse):
    land(warehouse, *month(2, CZECH, range(60)), entry(99, 99, "Code 0x80", is_problem=True, business=2))
    model(warehouse)
    covered = row(warehouse, "select * exclude (rules_version) from model.wording_coverage")
    assert (covered["unexplained_entry_count"], covered["entry_count"]) == (41, 61)
    assert (covered["unexplained_flagged_entry_count"], covered["flagged_entry_count"]) == (1, 21)
    assert (covered["unexplained_paid_invoice_count"], covered["paid_invoice_count"]) == (40, 40)
    assert (covered["commonest_pattern"], covered["commonest_entry_count"]) == (CZECH, 40)


def test_a_few_notes_that_nobody_understands_take_no_rate_away(warehouse):
    notes = [entry(100 + number, number, f"Zulu {number}", name="Door", business=1) for number in range(5)]
    land(warehouse, *month(1, SUCCESS, range(60)), *notes)
    model(warehouse)
    assert rows(warehouse, RATES.format("monthly_payment_failure_rates", 1))[0]["attempt_failure_ratio"] == 20 / 60


def test_words_that_changed_last_month_take_that_month_away(warehouse):
    long = [
        each
        for month_number in range(12)
        for each in month(1, SUCCESS, range(month_number * 60, month_number * 60 + 60), month_number * 30)
    ]
    land(warehouse, *long, *month(1, CZECH, range(1000, 1060), 365))
    model(warehouse)
    assert row(warehouse, "select no_rate_because from model.wording_coverage") == {"no_rate_because": None}
    told = rows(warehouse, RATES.format("monthly_payment_failure_rates", 1) + " order by month_start_date")
    assert [each["no_rate_because"] for each in told][-1] == "wording_not_understood"
    assert {each["no_rate_because"] for each in told[:-1]} == {None}


def test_the_warning_says_which_business_which_wording_how_many_and_what_to_do(warehouse):
    assert list(wording_warnings.warnings(warehouse)) == []
    land(warehouse, *month(2, CZECH, range(60)))
    model(warehouse)
    (said,) = wording_warnings.warnings(warehouse, personal_data=True)
    assert said.startswith("Business 2 has no failure rates: 40 of 40 paid invoices (100%) have their success")
    assert f'"Payment Result: {CZECH}" (40 times)' in said
    assert "nexudus-billing rules explain" in said
    (public,) = wording_warnings.warnings(warehouse)
    assert '"Payment Result: …' in public
    assert CZECH not in public
