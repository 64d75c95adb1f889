"""How often the 95 % intervals hold the truth, and how often chance alone counts as a significant change.

    uv run python tests/bench/interval_coverage.py [MONTHS]

The scenario of retries: of the invoices of a month 4 % have no card and are tried on 1, 5, 10 or 20 nights, all in
vain; of the others one in ten fails at first and is tried up to twice more. Each month is drawn anew from the same
truth, so every significant change between two of them is false. The intervals are made by the macros that the models
use. Goals: coverage of 94 to 96 %, at most 6 % false significance of one comparison. The last column is the share of
periods with 20 businesses in which any change counts: the false discovery rate, for no change is real. Amounts are
log-normal, the largest of a hundred about fifty times the smallest.
"""

import argparse
from typing import NamedTuple

import duckdb

from pipelines.model.building import prepare

NIGHTS = (1, 5, 10, 20)
INVOICES = (100, 300, 1000)
BUSINESSES = 20

DRAWN = """
create or replace temp table clusters as
with invoices as (
    select
        month,
        random() < 0.04 as has_no_card,
        random() as first,
        random() as second,
        random() as third,
        exp(0.8 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) as amount,
    from range({months}) as months (month)
    cross join range({invoices})
)

select
    month,
    amount,
    case when has_no_card then {nights} when first >= 0.1 then 1 when second >= 0.35 then 2 else 3 end as tried,
    case
        when has_no_card then {nights}
        when first >= 0.1 then 0
        when second >= 0.35 then 1
        when third >= 0.35 then 2
        else 3
    end as failed,
    (has_no_card or first < 0.1)::integer as first_failed,
from invoices
"""
RATES = """
create or replace temp table rates as
with sums as (
    select
        month,
        sum({failed})::double as failed,
        sum({tried})::double as tried,
        count(*) as invoices,
        sum({failed} * {failed})::double as failed_square,
        sum({failed} * {tried})::double as failed_tried_square,
        sum({tried} * {tried})::double as tried_square,
    from clusters
    group by month
),

sized as (
    select
        *,
        ratio(failed, tried) as rate,
        effective_count(
            rate, tried, failed_square, failed_tried_square, tried_square, invoices, {most}
        ) as size,
    from sums
)

select month, rate, size, wilson_low(rate, size) as low, wilson_high(rate, size) as high, failed, tried,
from sized
"""
COVERAGE = """
select avg((truth between low and high)::integer)
from rates, (select sum(failed) / sum(tried) as truth from rates)
"""
# Neighbouring months, each in one comparison; they also stand for the businesses of one period, twenty at a time.
CHANCES = f"""
create or replace temp table chances as
with compared as (
    select
        now.month // 2 as number,
        now.rate - before.rate as change,
        least(now.size, before.size) as fewest,
        newcombe_reach(now.rate, now.low, before.rate, before.high) as down,
        newcombe_reach(before.rate, before.low, now.rate, now.high) as up,
    from rates as now
    inner join rates as before on now.month = before.month + 1
    where now.month % 2 = 1
)

select
    number // {BUSINESSES} as period,
    if(fewest >= 40, change_chance(change, down, up), null) as chance,
from compared
"""
ALONE = "select avg(coalesce(chance < 0.05, false)::integer) from chances"
TOGETHER = """
with ranked as (
    select period, chance, rank() over family as place, count(chance) over (partition by period) as compared,
    from chances
    window family as (partition by period order by chance)
),

periods as (
    select period, coalesce(bool_or(chance <= 0.05 * place / compared), false) as has_any,
    from ranked
    group by period
)

select avg(has_any::integer) from periods
"""


class Measured(NamedTuple):
    """Shares from 0 to 1: intervals that hold the truth; significant changes alone; periods of 20 with any."""

    coverage: float
    false_alone: float
    false_together: float


# What an invoice adds to a rate, and what its effective sample size is never above.
RATES_OF = {
    "attempts": {"failed": "failed", "tried": "tried", "most": "tried"},
    "first attempts": {"failed": "first_failed", "tried": "1", "most": "invoices"},
    "first attempts by amount": {"failed": "(first_failed * amount)", "tried": "amount", "most": "invoices"},
}


def measure(months: int, invoices: int, nights: int, rate: str = "attempts") -> Measured:
    """Draw so many months with so many invoices each, and judge them."""
    with duckdb.connect() as connection:
        prepare(connection)
        connection.execute("set threads = 1; select setseed(0.42)")
        connection.execute(DRAWN.format(months=months, invoices=invoices, nights=nights))
        connection.execute(RATES.format(**RATES_OF[rate]))
        connection.execute(CHANCES)
        return Measured(*(connection.execute(query).fetchall()[0][0] for query in (COVERAGE, ALONE, TOGETHER)))


def main() -> None:
    """Print every scenario."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("months", nargs="?", type=int, default=4000)
    months = parser.parse_args().months
    print(f"{'rate':<26}{'invoices':>9}{'nights':>8}{'coverage':>10}{'false, one':>12}{'false, any of 20':>18}")
    for rate in RATES_OF:
        for invoices in INVOICES:
            for nights in NIGHTS:
                found = measure(months, invoices, nights, rate)
                shares = f"{found.coverage:>10.1%}{found.false_alone:>12.1%}{found.false_together:>18.1%}"
                print(f"{rate:<26}{invoices:>9}{nights:>8}{shares}")


if __name__ == "__main__":
    main()
