"""Given entries, expected rates: one sentence of the definitions each."""

from datetime import timedelta

import pytest
from given import IN_FLIGHT, NO_FUNDS, START, SUCCESS, close_until, entry, land, model, row, rows

MONTHLY = "select * from model.monthly_payment_failure_rates order by currency_code nulls last, month_start_date"


def test_currencies_never_mix_and_a_missing_one_is_a_group_of_its_own(warehouse):
    land(
        warehouse,
        entry(1, 1, SUCCESS, amount="10"),
        entry(2, 2, NO_FUNDS, amount="20", currency="EUR"),
        entry(3, 3, NO_FUNDS, amount="30", currency=None),
        entry(4, 4, IN_FLIGHT, currency=None),
    )
    model(warehouse, "monthly_payment_failure_rates")
    found = [
        (each["currency_code"], float(each["attempted_amount"]), each["pending_count"])
        for each in rows(warehouse, MONTHLY)
    ]
    assert found == [("EUR", 20.0, 0), ("GBP", 10.0, 0), (None, 30.0, 1)]


def test_a_group_with_nothing_attempted_has_no_ratio(warehouse):
    land(warehouse, entry(1, 1, IN_FLIGHT))
    model(warehouse, "monthly_payment_failure_rates")
    rate = row(warehouse, MONTHLY)
    assert (rate["attempt_count"], rate["pending_count"]) == (0, 1)
    assert {name: value for name, value in rate.items() if name.endswith("_ratio") and value is not None} == {}


def test_what_is_left_out_is_counted_beside(warehouse):
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, draft=True),
        entry(2, 2, NO_FUNDS, amount="0"),
        entry(3, 3, NO_FUNDS, deleted_at=START),
        entry(4, None, NO_FUNDS),
        entry(5, 5, NO_FUNDS),
        entry(6, 6, "Invoice was sent.", name="Invoice sent", deleted_at=START),
    )
    model(warehouse, "excluded_attempts", "history_entries", "monthly_payment_failure_rates")
    rate = row(warehouse, MONTHLY)
    assert (rate["attempt_count"], rate["excluded_attempt_count"]) == (1, 4)
    reasons = rows(warehouse, "select excluded_because from model.excluded_attempts order by 1")
    assert [each["excluded_because"] for each in reasons] == [
        "deleted_entry",
        "draft_invoice",
        "no_invoice",
        "zero_invoice",
    ]
    assert row(warehouse, "select count(*) as count from model.history_entries")["count"] == 4


def test_a_refund_does_not_undo_the_attempts_before_it(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS, refunded=True), entry(2, 1, SUCCESS, 1, refunded=True, paid_on=START))
    model(warehouse, "failed_invoice_recoveries", "monthly_payment_failure_rates")
    assert row(warehouse, MONTHLY)["attempt_failure_ratio"] == 1 / 2
    assert row(warehouse, "select recovery_state from model.failed_invoice_recoveries") == {
        "recovery_state": "refunded"
    }


def test_the_newest_observation_of_an_invoice_counts_not_the_copy_in_an_old_entry(warehouse):
    seen_later = START.replace(month=5)
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, amount="100", seen_at=seen_later, paid_on=START, full_name="New Name"),
        entry(2, 1, NO_FUNDS, 5, amount="90"),
    )
    model(warehouse, "invoices", "monthly_payment_failure_rates")
    invoice = row(
        warehouse, "select total_amount::int as amount, is_paid, as_of_at, coworker_full_name from model.invoices"
    )
    assert invoice == {"amount": 100, "is_paid": True, "as_of_at": seen_later, "coworker_full_name": "New Name"}
    assert float(row(warehouse, MONTHLY)["attempted_amount"]) == 190.0, "each attempt by what was due when it was made"


def test_attempts_are_numbered_by_time_then_id(warehouse):
    land(warehouse, entry(9, 1, SUCCESS, 2), entry(5, 1, NO_FUNDS), entry(4, 1, NO_FUNDS), entry(7, 1, IN_FLIGHT, -1))
    model(warehouse, "payment_attempts")
    found = rows(
        warehouse,
        "select entry_id, attempt_number, is_first_attempt, is_last_attempt from model.payment_attempts order by 2",
    )
    assert [tuple(each.values()) for each in found] == [(4, 1, True, False), (5, 2, False, False), (9, 3, False, True)]


def test_a_payment_is_in_flight_until_its_outcome_or_until_there_was_no_news_for_four_weeks(warehouse):
    land(
        warehouse,
        entry(1, 1, IN_FLIGHT, 0),
        entry(2, 2, IN_FLIGHT, 20),
        entry(3, 2, NO_FUNDS, 21),
        entry(4, 3, IN_FLIGHT, 22),
        entry(5, 3, IN_FLIGHT, 29),
        entry(6, 4, IN_FLIGHT, 21, paid_on=START),
        entry(7, 2, IN_FLIGHT, 40),
    )
    close_until(warehouse, START + timedelta(days=50))
    model(warehouse, "daily_payment_failure_rates", "begun_payment_failure_rates")
    states = rows(warehouse, "select invoice_id, pending_state from model.pending_invoices order by 1")
    assert [tuple(each.values()) for each in states] == [(1, "lost"), (2, "in_flight"), (3, "in_flight"), (4, "closed")]
    pending = rows(
        warehouse,
        "select day_date, pending_count from model.daily_payment_failure_rates where pending_count > 0 order by 1",
    )
    # The payment of invoice 3 began on its first pending day; the news of it a week later is no second payment.
    assert [tuple(each.values()) for each in pending] == [
        ((START + timedelta(days=22)).date(), 1),
        ((START + timedelta(days=40)).date(), 1),
    ]
    begun = row(warehouse, "select * from model.begun_payment_failure_rates")
    assert (begun["first_payment_count"], begun["in_flight_first_payment_count"], begun["is_mature"]) == (4, 1, False)
    assert (begun["lowest_final_ratio"], begun["highest_final_ratio"]) == (1 / 2, 1)


def test_after_how_many_days_a_payment_is_lost_is_a_setting(warehouse):
    land(warehouse, entry(1, 1, IN_FLIGHT, 0))
    close_until(warehouse, START + timedelta(days=10))
    model(warehouse, "pending_invoices", payment_lost_after_days=9)
    assert row(warehouse, "select pending_state from model.pending_invoices") == {"pending_state": "lost"}
    model(warehouse, "pending_invoices", payment_lost_after_days=10)
    assert row(warehouse, "select pending_state from model.pending_invoices") == {"pending_state": "in_flight"}


def test_an_entry_dated_in_the_future_moves_no_figure_and_no_period(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS), entry(2, 2, NO_FUNDS, 4000, seen_at=START))
    close_until(warehouse, START + timedelta(days=3))
    model(warehouse, "monthly_payment_failure_rates", "reporting_periods", "excluded_attempts", "problem_entry_trends")
    assert row(warehouse, MONTHLY)["attempt_count"] == 1
    assert row(warehouse, "select max(period_end_date)::varchar as last from model.reporting_periods") == {
        "last": "2025-12-31"
    }
    assert row(warehouse, "select excluded_because, excluded_attempt_count from model.excluded_attempts") == {
        "excluded_because": "dated_in_future",
        "excluded_attempt_count": 1,
    }
    assert row(warehouse, "select max(day_date)::varchar as last from model.problem_entry_trends") == {
        "last": "2025-03-06"
    }


def test_retries_do_not_move_the_headline_and_do_not_narrow_the_interval(warehouse):
    once = [entry(number, number, NO_FUNDS if number <= 10 else SUCCESS) for number in range(1, 101)]
    retries = [entry(1000 + n, n % 5 + 1, NO_FUNDS, 1 + n // 5) for n in range(50)]
    land(warehouse, *once)
    model(warehouse, "monthly_payment_failure_rates")
    before = row(warehouse, MONTHLY)
    land(warehouse, *retries)
    model(warehouse, "monthly_payment_failure_rates")
    after = row(warehouse, MONTHLY)
    headline = [name for name in before if name.startswith("first_attempt")]
    assert {name: after[name] for name in headline} == {name: before[name] for name in headline}
    assert (before["effective_attempt_count"], before["attempt_failure_ratio"]) == (100, 0.1)
    assert (after["attempt_failure_ratio"], round(after["effective_attempt_count"])) == (0.4, 22)


def test_a_payment_by_transfer_is_none_that_was_collected_automatically(warehouse):
    land(
        warehouse,
        entry(1, 1, "Payment of GBP 100 received by bank transfer.", name="Payment received"),
        entry(2, 2, "Payment of GBP 100 received by card.", name="Payment received"),
        entry(3, 3, NO_FUNDS),
        entry(4, 3, "Payment of GBP 100 received by bank transfer.", 3, name="Payment received"),
    )
    model(warehouse, "monthly_payment_failure_rates")
    rate = row(warehouse, MONTHLY)
    assert (rate["first_attempt_failure_ratio"], rate["automatic_first_attempt_failure_ratio"]) == (1 / 3, 1 / 2)
    assert (rate["attempt_failure_ratio"], rate["automatic_attempt_failure_ratio"]) == (1 / 4, 1 / 3)


@pytest.mark.parametrize(
    ("failed", "attempts", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_interval_as_published(warehouse, failed, attempts, low, high):
    land(
        warehouse,
        *(entry(number, number, NO_FUNDS if number <= failed else SUCCESS) for number in range(1, attempts + 1)),
    )
    model(warehouse, "monthly_payment_failure_rates")
    rate = row(warehouse, MONTHLY)
    assert (round(rate["attempt_failure_low_ratio"], 4), round(rate["attempt_failure_high_ratio"], 4)) == (low, high)
    assert rate["is_small_sample"] == (attempts < 20)


def test_an_attempt_counts_with_what_was_due_when_it_was_made_not_with_what_the_invoice_became(warehouse):
    first_read = START + timedelta(hours=1)
    facts = {"amount": "103", "first_seen_at": first_read, "seen_at": first_read + timedelta(days=9)}
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, **facts, content_hash="with a fee"),
        entry(2, 2, NO_FUNDS, **facts, content_hash="as ever"),
        entry(3, 3, NO_FUNDS, amount="80"),
    )
    warehouse.execute(
        "insert into land.coworker_invoice_history_versions (id, seen_at, content_hash, raw) values "
        "(1, $read, 'before', '{\"CoworkerInvoiceTotalAmount\": 100.0}'), "
        "(1, $read + interval 9 day, 'with a fee', '{\"CoworkerInvoiceTotalAmount\": 103.0}'), "
        "(2, $read, 'as ever', '{\"CoworkerInvoiceTotalAmount\": 103.0}')",
        {"read": first_read},
    )
    warehouse.execute(
        "insert into land.coworker_invoice_versions (id, seen_at, raw) values "
        "(3, $start - interval 2 day, '{\"PaidAmount\": 20.0}'), "
        '(3, $start - interval 1 day, \'{"PaidAmount": 25.0, "CreditedAmount": 5}\'), '
        "(3, $start + interval 1 day, '{\"PaidAmount\": 80.0}')",
        {"start": START},
    )
    model(warehouse, "payment_attempts")
    amounts = rows(warehouse, "select entry_id, invoice_amount::int as due from model.payment_attempts order by all")
    assert amounts == [{"entry_id": 1, "due": 100}, {"entry_id": 2, "due": 103}, {"entry_id": 3, "due": 50}]
