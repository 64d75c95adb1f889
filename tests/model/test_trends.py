"""The trend: gapless, and the same as plain arithmetic."""

import random
import statistics
from datetime import date, timedelta

import polars as pl
from given import START, close_until, entry, land, model, row, rows

from pipelines.model.trends import problem_trends

FIRST = date(2024, 1, 1)


def poisson(dice, mean):
    """Knuth's way; the means here are small."""
    count, product, floor = 0, dice.random(), 2.718281828459045**-mean
    while product > floor:
        count, product = count + 1, product * dice.random()
    return count


def trends(series):
    """Trends of {business: [count of each day]}."""
    counts = [
        (business, "GBP", "payment_failed", FIRST + timedelta(days=day), count)
        for business, days in series.items()
        for day, count in enumerate(days)
        if count
    ]
    spans = [(business, "GBP", FIRST, FIRST + timedelta(days=len(days) - 1)) for business, days in series.items()]
    return problem_trends(
        pl.DataFrame(
            counts, orient="row", schema=["business_id", "currency_code", "kind", "day_date", "problem_entry_count"]
        ),
        pl.DataFrame(spans, orient="row", schema=["business_id", "currency_code", "first_date", "last_date"]),
    )


def plain(days):
    """The same formulas, a day at a time."""
    for day, count in enumerate(days):
        known = [days[day - 7 * week] for week in range(1, 9) if day >= 7 * week]
        means = [sum(days[day - span + 1 : day + 1]) / span if day + 1 >= span else None for span in (7, 28)]
        yield (count, *means, statistics.median(known) if len(known) >= 4 else None)


def test_polars_and_plain_arithmetic_agree_to_the_last_digit():
    dice = random.Random(7)
    series = {business: [poisson(dice, business) for _ in range(150)] for business in range(1, 8)}
    found = trends(series).drop("business_id", "currency_code", "kind", "day_date").rows()
    assert found == [row for days in series.values() for row in plain(days)]


def test_the_series_is_gapless_from_the_first_entry_to_the_newest_data(warehouse):
    land(
        warehouse,
        entry(1, 1, "Invoice was sent.", -3, name="Invoice sent"),
        entry(2, 1, "Strange", 0, name="Odd", is_problem=True),
        entry(3, 1, "Strange", 4, name="Odd", is_problem=True),
        entry(4, 2, "Strange", 4, name="Odd", is_problem=True, currency=None, business=8),
    )
    close_until(warehouse, START + timedelta(days=6))
    model(warehouse, "problem_entry_trends")
    found = rows(
        warehouse,
        "select business_id, currency_code, count(*) as days, sum(problem_entry_count)::int as entries,"
        " count_if(not is_complete_day) as partial from model.problem_entry_trends group by all order by all",
    )
    assert [tuple(each.values()) for each in found] == [(7, "GBP", 10, 2, 1), (8, None, 3, 1, 1)]


def test_no_problems_at_all_make_an_empty_trend(warehouse):
    land(warehouse, entry(1, 1, "Invoice was sent.", name="Invoice sent"))
    model(warehouse, "problem_entry_trends")
    assert row(warehouse, "select count(*) as days from model.problem_entry_trends") == {"days": 0}


def test_an_empty_warehouse_makes_empty_figures(warehouse):
    assert {built.row_count for built in model(warehouse)} <= {0, 1}
