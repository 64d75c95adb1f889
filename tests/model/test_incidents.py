"""Incidents: found when they come, never before, never by what comes later, and not where only the calendar moves."""

from datetime import timedelta
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from polars.testing import assert_frame_equal
from simulated_days import (
    CALENDARS,
    COLUMNS,
    DAYS,
    FIRST,
    KNOWN_DAYS,
    burst,
    doubling,
    monthly,
    simulate,
    stop,
    working_days,
)

from pipelines.model.incidents import find_incidents
from pipelines.model.rate_watch import rate_incidents
from pipelines.model.usual_rates import Usual, chance, usual_rate

TURN = 222
AT_TURN = FIRST + timedelta(days=TURN)
WATCHED = FIRST + timedelta(days=KNOWN_DAYS)
TROUBLED = pl.concat(
    simulate(("troubled", kind), 3, 1, calendar, change).with_columns(pl.col("business_id") + 10 * place)
    for place, (kind, calendar, change) in enumerate(
        [("doubled", monthly, doubling(TURN)), ("burst", working_days, burst(TURN, 12)), ("stop", monthly, stop(TURN))]
    )
)


def frame(*rows):
    return pl.DataFrame(rows, schema=list(COLUMNS), orient="row")


def steady(days, attempts=10, failed=1, business=1, currency="GBP"):
    """The same counts every day."""
    return [(business, currency, FIRST + timedelta(days=day), attempts, failed, attempts) for day in days]


def whole(row):
    """What must not change by later days."""
    return {name: value for name, value in row.items() if name != "ended_on_date"}


def test_nothing_in_gives_nothing_out_with_the_same_columns():
    columns = find_incidents(TROUBLED).columns
    assert find_incidents(pl.DataFrame()).columns == columns
    assert find_incidents(TROUBLED.head(0)).columns == columns
    assert find_incidents(frame(*steady(range(300)))).is_empty()


def test_trouble_is_found_in_its_kind_soon_after_it_begins():
    found = find_incidents(TROUBLED).filter(pl.col("detected_on_date") >= AT_TURN)
    first = {(row["business_id"] // 10, row["incident_kind"]): row for row in reversed(found.to_dicts())}
    assert {(0, "rate_shift"), (1, "burst"), (2, "silence")} <= set(first)
    shift, single, silence = first[0, "rate_shift"], first[1, "burst"], first[2, "silence"]
    assert (shift["detected_on_date"] - AT_TURN).days < 28
    assert (single["started_on_date"], single["detected_on_date"], single["ended_on_date"]) == (AT_TURN,) * 3
    assert silence["ended_on_date"] is None
    assert abs((silence["started_on_date"] - AT_TURN).days) <= 1
    assert (silence["detected_on_date"] - silence["started_on_date"]).days < 7


def test_a_shift_has_a_beginning_a_size_and_an_end():
    calm, bad = steady(range(200)), steady(range(200, 230), failed=4)
    (found,) = find_incidents(frame(*calm, *bad, *steady(range(230, 300)))).to_dicts()
    assert found["incident_kind"] == "rate_shift"
    assert found["started_on_date"] == FIRST + timedelta(days=200)
    assert found["detected_on_date"] <= FIRST + timedelta(days=204)
    assert found["ended_on_date"] == FIRST + timedelta(days=229)
    assert (found["usual_ratio"], found["observed_ratio"]) == (pytest.approx(0.1, abs=0.001), 0.4)
    assert found["observed_count"] == 0.4 * found["watched_count"]
    assert found["expected_count"] == pytest.approx(0.1 * found["watched_count"], rel=0.01)
    assert found["chance_probability"] < 0.001


def test_a_shift_that_lasts_is_open_and_a_further_rise_is_an_incident_of_its_own():
    days = [*steady(range(200)), *steady(range(200, 300), failed=3), *steady(range(300, 350), failed=7)]
    first, second = find_incidents(frame(*days)).to_dicts()
    assert first["ended_on_date"] == FIRST + timedelta(days=299)
    assert second["started_on_date"] == FIRST + timedelta(days=300)
    assert second["usual_ratio"] == pytest.approx(0.3, abs=0.01)
    assert second["ended_on_date"] is None


def test_a_burst_on_the_newest_day_is_open_until_the_next_day_is_known():
    days = [*steady(range(200)), *steady([200], attempts=20, failed=12)]
    (found,) = find_incidents(frame(*days)).filter(pl.col("incident_kind") == "burst").to_dicts()
    assert found["ended_on_date"] is None
    (found,) = find_incidents(frame(*days, *steady([201]))).filter(pl.col("incident_kind") == "burst").to_dicts()
    assert found["ended_on_date"] == FIRST + timedelta(days=200)


def test_a_billing_day_with_eight_times_the_attempts_is_no_incident():
    days = [row for day in range(DAYS) for row in steady([day], *((80, 8) if day % 30 == 0 else (10, 1)))]
    assert find_incidents(frame(*days)).is_empty()


@pytest.mark.parametrize(
    ("works", "silent_for"),
    [(lambda day: day.weekday() < 5, 8), (lambda day: day.day == 1, 40), (lambda day: day.day in (1, 15), 25)],
    ids=["weekdays", "monthly", "twice a month"],
)
def test_a_silence_is_longer_than_the_calendar_of_the_business_explains(works, silent_for):
    days = [FIRST + timedelta(days=day) for day in range(DAYS)]
    busy = [(1, "GBP", day, 30, 3, 40) for day in days if works(day)]
    horizon = [(2, "GBP", day, 0, 0, 0) for day in days]
    assert find_incidents(frame(*busy, *horizon)).is_empty()
    stopped = [row for row in busy if row[2] < AT_TURN]
    (found,) = find_incidents(frame(*stopped, *horizon)).to_dicts()
    assert (found["incident_kind"], found["business_id"], found["ended_on_date"]) == ("silence", 1, None)
    assert found["started_on_date"] == stopped[-1][2] + timedelta(days=1)
    assert (found["detected_on_date"] - found["started_on_date"]).days < silent_for
    assert found["observed_count"] == 0
    assert found["chance_probability"] < 1e-5


def test_a_silence_is_of_a_business_in_all_its_currencies_and_ends_with_the_next_entry():
    both = [*steady(range(150)), *steady(range(150, 200), currency=None)]
    assert find_incidents(frame(*both)).is_empty()
    (found,) = find_incidents(frame(*both, *steady([220]))).to_dicts()
    assert (found["incident_kind"], found["currency_code"]) == ("silence", "GBP")
    assert found["started_on_date"] == FIRST + timedelta(days=200)
    assert found["ended_on_date"] == FIRST + timedelta(days=219)


def test_e_invoices_that_fail_are_an_incident_of_their_own():
    days = frame(*steady(range(260))).with_columns(einvoice_count=pl.lit(5), failed_einvoice_count=pl.lit(0))
    wrong = (pl.col("day_date") >= AT_TURN).cast(pl.Int64) * 3
    (found,) = find_incidents(days.with_columns(failed_einvoice_count=wrong)).to_dicts()
    assert (found["incident_kind"], found["started_on_date"]) == ("einvoice", AT_TURN)
    assert find_incidents(days).is_empty()


def test_rows_of_a_day_add_up_and_what_is_missing_counts_as_nothing():
    days = [*steady(range(200)), *steady(range(200, 240), failed=5)]
    once = find_incidents(frame(*days))
    halves = frame(*days).with_columns(
        pl.col(name) - pl.col(name) // 2 for name in ("attempt_count", "failed_attempt_count", "entry_count")
    )
    others = frame(*days).with_columns(
        pl.col(name) // 2 for name in ("attempt_count", "failed_attempt_count", "entry_count")
    )
    assert_frame_equal(find_incidents(pl.concat([halves, others])), once)
    as_others_give_it = frame(*days).with_columns(
        pl.col("day_date").cast(pl.Datetime), pl.col("entry_count").cast(pl.Float64), note=pl.lit("x")
    )
    gaps = as_others_give_it.with_columns(entry_count=pl.lit(None, pl.Float64))
    assert_frame_equal(find_incidents(gaps), once)


def test_names_of_businesses_may_be_texts_and_more_failures_than_attempts_are_taken_as_attempts():
    days = frame(*steady(range(200)), (1, "GBP", AT_TURN, 0, 9, 0)).with_columns(pl.col("business_id").cast(pl.String))
    (found, *_) = find_incidents(days).filter(pl.col("incident_kind") == "burst").to_dicts()
    assert (found["business_id"], found["watched_count"], found["observed_count"]) == ("1", 9, 9)


@settings(deadline=None, max_examples=12)
@given(some.integers(0, 10**9))
def test_the_order_of_rows_and_columns_changes_nothing(seed):
    dice, rows, names = Random(seed), list(range(len(TROUBLED))), list(COLUMNS)
    dice.shuffle(rows)
    dice.shuffle(names)
    assert_frame_equal(find_incidents(TROUBLED[rows].select(names)), find_incidents(TROUBLED))


@settings(deadline=None, max_examples=12)
@given(some.integers(0, 2), some.integers(0, DAYS))
def test_a_quiet_series_changes_nothing_elsewhere(attempts, since):
    quiet = frame(*steady(range(since, DAYS), attempts=attempts, failed=0, business=99))
    if quiet.is_empty():
        return
    found = find_incidents(pl.concat([TROUBLED, quiet])).filter(pl.col("business_id") != 99)
    assert_frame_equal(found, find_incidents(TROUBLED))


@settings(deadline=None, max_examples=25)
@given(some.integers(60, DAYS - 1))
def test_later_days_change_no_detection_but_its_end(last):
    known = TROUBLED.filter(pl.col("day_date") <= FIRST + timedelta(days=last))
    newest = FIRST + timedelta(days=last)
    later = find_incidents(TROUBLED).filter(pl.col("detected_on_date") <= newest)
    so_far = find_incidents(known)
    assert [whole(row) for row in so_far.to_dicts()] == [whole(row) for row in later.to_dicts()]
    for now, then in zip(so_far.to_dicts(), later.to_dicts(), strict=True):
        if now["ended_on_date"] is not None and now["incident_kind"] != "burst":
            assert now["ended_on_date"] == then["ended_on_date"]


def test_an_incident_begins_before_it_is_detected_and_ends_no_earlier():
    for row in find_incidents(TROUBLED).to_dicts():
        assert row["started_on_date"] <= row["detected_on_date"]
        assert row["ended_on_date"] is None or row["ended_on_date"] >= row["started_on_date"]


def test_the_usual_rate_is_not_taught_by_one_bad_week_and_is_careful_with_few_attempts():
    attempts, failures = [10] * 182, [1] * 182
    calm = usual_rate(attempts, failures)
    failures[100:107] = [10] * 7
    bad_week = usual_rate(attempts, failures)
    assert calm.ratio == pytest.approx(0.1)
    assert bad_week.ratio < 0.115 < (182 + 63) / 1820
    assert bad_week.weekly_dispersion < 2
    assert usual_rate([1] * 60, [0] * 60).ratio == 1 / 70
    assert usual_rate([10] * 50, [1] * 50) is None


def test_chance_is_the_upper_tail_of_the_beta_binomial():
    flat = Usual(ratio=0.5, failures_a_day=1, attempts=2, weekly_dispersion=1, daily_correlation=0)
    # With one success and one failure as all knowledge (a uniform rate) each count of four is as likely as any other.
    assert [chance(count, 4, flat, correlation=0) for count in range(5)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    sure = Usual(ratio=0.1, failures_a_day=1, attempts=10**9, weekly_dispersion=1, daily_correlation=0)
    assert chance(2, 2, sure, correlation=0) == pytest.approx(0.01, rel=1e-4)


def test_failures_that_come_in_clusters_are_no_incident():
    dice = Random(5)
    failures = [dice.choice([0, 0, 0, 0, 5]) for _ in range(DAYS)]
    assert len(rate_incidents([10] * DAYS, failures)) <= 1


@pytest.mark.parametrize("calendar", CALENDARS)
def test_limits_of_false_alarms_and_of_what_is_found(calendar):
    """The bench in short (`tests/bench/incident_detection.py` is the whole): few series, so the limits are wider."""
    count, days = 40, DAYS - KNOWN_DAYS
    shape = CALENDARS[calendar]
    calm = find_incidents(simulate((1, calendar), count, 1, shape)).filter(pl.col("detected_on_date") >= WATCHED)
    doubled = find_incidents(simulate((2, calendar), count, 1, shape, doubling(TURN)))
    single = find_incidents(simulate((3, calendar), count, 0.1, shape, burst(TURN)))
    soon = pl.col("detected_on_date").is_between(AT_TURN, AT_TURN + timedelta(days=28))
    assert len(calm) * 1000 / (count * days) <= 3
    assert doubled.filter(soon & (pl.col("incident_kind") == "rate_shift"))["business_id"].n_unique() >= 0.9 * count
    assert single.filter(pl.col("detected_on_date") == AT_TURN)["business_id"].n_unique() >= 0.8 * count


def test_a_business_that_starts_later_is_watched_from_its_own_start():
    late = frame(*steady(range(200, DAYS), business=1), *steady(range(DAYS), business=2))
    assert find_incidents(late).is_empty()
