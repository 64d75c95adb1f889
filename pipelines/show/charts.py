"""The charts of dashboard and report, as Vega-Lite. They draw published columns and compute no figure.

Each kind of chart is built with Altair only once, because Altair takes 50 ms to validate a chart and a page has nine.
Rows and title are then put into a copy.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import altair as alt

from pipelines.foundation.shown_text import shown
from pipelines.publish.snapshot import Row
from pipelines.show import readable_values as as_text

Chart = dict[str, Any]
# The colours of Okabe and Ito, which colour-blind people can distinguish on light and dark backgrounds.
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#808080"
_HEIGHT = 190
_HALF_A_MONTH = timedelta(days=13)
_BANDS = ("0-30", "31-60", "61-90", "91+")


def rate_by_month(
    rows: Iterable[Row], title: str, highest: float | None = None, incidents: Iterable[Row] = ()
) -> Chart:
    """The failure rate of one scope and currency by month, with its interval; hollow while a month is incomplete.

    The months that an incident touches are shaded.
    """
    drawn = [
        {
            "month": row["period_start_date"],
            "rate": row["first_attempt_failure_ratio"],
            "low": row["first_attempt_failure_low_ratio"],
            "high": row["first_attempt_failure_high_ratio"],
            "State": "complete" if row["is_complete"] else "incomplete",
            "Month": as_text.month(row["period_start_date"]),
            "Failure rate": as_text.percent(row["first_attempt_failure_ratio"]),
            "95 % interval": as_text.interval(
                row["first_attempt_failure_low_ratio"], row["first_attempt_failure_high_ratio"]
            ).removeprefix("95 % interval "),
            "First attempts": f"{as_text.count(row['failed_first_attempt_count'])} failed of "
            f"{as_text.count(row['first_attempt_count'])}",
        }
        for row in rows
        if row["first_attempt_failure_ratio"] is not None
    ]
    chart = _filled(_rate_by_month(highest), drawn, title, _HEIGHT)
    months = [row["month"] for row in drawn]
    shaded = [_shade(row, months[-1]) for row in incidents if months and row["started_on_date"] >= months[0]]
    return chart | {"layer": [_marked(shaded), *chart["layer"]]} if shaded else chart


def _shade(incident: Row, newest: date) -> dict[str, str]:
    # A month's point stands on its first day: the shade is a column around the points of the months that it touches.
    first = incident["started_on_date"].replace(day=1)
    last = min(newest, (incident["ended_on_date"] or newest).replace(day=1))
    until = "still lasts" if incident["is_open"] else f"until {as_text.day(incident['ended_on_date'])}"
    return {
        "from": (first - _HALF_A_MONTH).isoformat(),
        "to": (max(first, last) + _HALF_A_MONTH).isoformat(),
        "Incident": f"since {as_text.day(incident['started_on_date'])}, {until}",
    }


def _marked(shaded: list[dict[str, str]]) -> Chart:
    return {
        "data": {"values": shaded},
        "mark": {"type": "rect", "color": ORANGE, "opacity": 0.25},
        "encoding": {
            "x": {"field": "from", "type": "temporal", "title": None},
            "x2": {"field": "to"},
            "tooltip": [{"field": "Incident", "type": "nominal"}],
        },
    }


def trend(rows: Iterable[Row], title: str) -> Chart:
    """Problem entries a day as bars, with the 7-day mean and what is usual for the weekday."""
    drawn = [
        {
            "day": row["day_date"],
            "entries": row["problem_entry_count"],
            "mean": row["mean_7_day_count"],
            "baseline": row["baseline_count"],
            "Day": as_text.day(row["day_date"]),
            "Problem entries": as_text.count(row["problem_entry_count"]),
            "Usual for the weekday": _short(row["baseline_count"]),
            "7-day mean": _short(row["mean_7_day_count"]),
        }
        for row in rows
    ]
    return _filled(_trend(), drawn, title, _HEIGHT)


def reasons(rows: Iterable[Row], title: str) -> Chart:
    """Failed attempts by reason: a bar for this period, a tick for the period before."""
    drawn = [
        {
            "Reason": as_text.words(row["failure_reason"]),
            "count": row["failed_attempt_count"],
            "before": row["previous_failed_attempt_count"],
            "Failed attempts": as_text.count(row["failed_attempt_count"]),
            "Period before": as_text.count(row["previous_failed_attempt_count"]),
            "Share": as_text.percent(row["failed_attempt_share_ratio"]),
            "Amount": as_text.money(row["failed_amount"], row["currency_code"]),
        }
        for row in rows
    ]
    return _filled(_reasons(), drawn, title, 30 * max(1, len(drawn)) + 60)


def ageing(rows: Iterable[Row], title: str) -> Chart:
    """Open amounts by age."""
    drawn = [
        {
            "Age": f"{row['ageing_band']} days",
            "amount": row["open_amount"],
            "Open": as_text.money(row["open_amount"], row["currency_code"]),
            "Invoices": as_text.count(row["open_invoice_count"]),
        }
        for row in rows
    ]
    return _filled(_ageing(), drawn, title, _HEIGHT)


def alternative(title: str, rows: Iterable[str]) -> str:
    """The text of a chart for screen readers."""
    return f"{title}. {'; '.join(rows)}"[:1500]


@lru_cache(maxsize=64)
def _rate_by_month(highest: float | None) -> Chart:
    domain = alt.Scale(domain=[0, highest], clamp=True) if highest else alt.Scale(zero=True)
    x = alt.X("month:T", title=None, axis=alt.Axis(format="%b %y", labelAngle=0, tickCount=5, grid=False))
    base = _base().encode(x=x)
    band = base.mark_area(opacity=0.18, color=BLUE).encode(
        y=alt.Y("low:Q", title=None, scale=domain, axis=alt.Axis(format="%", tickCount=4)), y2="high:Q"
    )
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(y=alt.Y("rate:Q", scale=domain))
    dots = base.mark_point(size=45, color=BLUE, opacity=1).encode(
        y=alt.Y("rate:Q", scale=domain),
        fill=alt.condition("datum.State == 'complete'", alt.value(BLUE), alt.value("transparent")),
        tooltip=["Month:N", "Failure rate:N", "95 % interval:N", "First attempts:N", "State:N"],
    )
    return _made(band, line, dots)


@lru_cache
def _trend() -> Chart:
    x = alt.X("day:T", title=None, axis=alt.Axis(format="%d %b", labelAngle=0, tickCount=4, grid=False))
    y = alt.Y("entries:Q", title=None, axis=alt.Axis(tickCount=4, tickMinStep=1, format="d"))
    tooltip = ["Day:N", "Problem entries:N", "Usual for the weekday:N", "7-day mean:N"]
    base = _base().encode(x=x)
    layers = [
        base.mark_bar(color=GREY, opacity=0.45).encode(y=y, tooltip=tooltip),
        base.mark_line(color=ORANGE, strokeWidth=1.5, strokeDash=[4, 3]).encode(y="baseline:Q"),
        base.mark_line(color=BLUE, strokeWidth=2).encode(y="mean:Q"),
    ]
    return _made(*layers)


@lru_cache
def _reasons() -> Chart:
    y = alt.Y("Reason:N", title=None, sort=None, axis=alt.Axis(labelLimit=220, grid=False, labelOverlap=False))
    tooltip = ["Reason:N", "Failed attempts:N", "Period before:N", "Share:N", "Amount:N"]
    base = _base().encode(y=y, tooltip=tooltip)
    bars = base.mark_bar(color=BLUE, height={"band": 0.62}).encode(
        x=alt.X("count:Q", title=None, axis=alt.Axis(tickCount=4, tickMinStep=1, format="d"))
    )
    before = base.mark_tick(color=ORANGE, thickness=3, height={"band": 0.9}).encode(x="before:Q")
    return _made(bars, before)


@lru_cache
def _ageing() -> Chart:
    scale = alt.Scale(domain=[f"{band} days" for band in _BANDS])
    y = alt.Y("Age:N", title=None, sort=None, scale=scale, axis=alt.Axis(grid=False, labelOverlap=False))
    bars = _base().mark_bar(color=BLUE, height={"band": 0.62})
    x = alt.X("amount:Q", title=None, axis=alt.Axis(tickCount=3, format="~s"))
    return _made(bars.encode(x=x, y=y, tooltip=["Age:N", "Open:N", "Invoices:N"]))


def _base() -> alt.Chart:
    return alt.Chart(alt.NamedData("rows"))


def _made(*layers: alt.Chart) -> Chart:
    chart: Chart = alt.layer(*layers).properties(width="container").to_dict()
    chart.pop("config", None)
    return chart


def _filled(look: Chart, rows: list[dict[str, Any]], title: str, height: int) -> Chart:
    values = [{name: _drawn(value) for name, value in row.items()} for row in rows]
    return look | {
        "data": {"values": values},
        "title": {"text": shown(title), "anchor": "start", "fontSize": 13},
        "height": height,
    }


def _drawn(value: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, str):
        return shown(value)  # a control character ends the program that draws
    return value.isoformat() if hasattr(value, "isoformat") else value


def _short(value: float | None) -> str:
    return as_text.NOTHING if value is None else f"{value:.1f}"
