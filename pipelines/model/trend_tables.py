"""The newest months of a model as a small Markdown table, shown at its materialisation in Dagster.

Counts and ratios of counts only: no amount, so no currencies are mixed, and no name.
"""

from collections.abc import Collection

import duckdb

_PERIODS = ("month_start_date", "first_failed_date", "day_date", "period_start_date")
_MONTHS = 6
_BAR_CELLS = 10
# Published models of a whole period kind overlap, so their sums would say nothing.
_OVERLAPPING = "period_kind"


def trend_table(connection: duckdb.DuckDBPyConnection, table: str, columns: Collection[str]) -> str | None:
    """Rows by month, or the failure ratio where the model counts attempts; None for a model without months."""
    period = next((name for name in _PERIODS if name in columns), None)
    if period is None or _OVERLAPPING in columns:
        return None
    has_attempts = {"attempt_count", "failed_attempt_count"} <= set(columns)
    counts = "sum(attempt_count), sum(failed_attempt_count)" if has_attempts else "null, null"
    rows = connection.execute(
        f"""
        select strftime(date_trunc('month', {period}), '%Y-%m') as month, count(*) as row_count, {counts}
        from {table}
        where {period} is not null
        group by month
        order by month desc
        limit {_MONTHS}
        """  # noqa: S608 - table and columns are the project's own
    ).fetchall()
    if not rows:
        return None
    sizes = [failed / (tried or 1) if has_attempts else count for _, count, tried, failed in rows]
    heading = "| month | rows | |" + (" attempts | failed | ratio |" if has_attempts else "")
    rule = "|---|--:|---|" + ("--:|--:|--:|" if has_attempts else "")
    lines = [
        f"| {month} | {count:,} | {_bar(size, max(sizes))} |" + (_attempts(tried, failed) if has_attempts else "")
        for size, (month, count, tried, failed) in zip(reversed(sizes), reversed(rows), strict=True)
    ]
    return "\n".join([heading, rule, *lines])


def _bar(size: float, most: float) -> str:
    return "█" * round(size / most * _BAR_CELLS) if most else ""


def _attempts(tried: int, failed: int) -> str:
    return f" {tried:,} | {failed:,} | {f'{failed / tried:.1%}' if tried else '-'} |"
