"""The charts of dashboard and report, as Altair specifications. They draw published columns and compute none."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

import altair as alt

from pipelines.publish.snapshot import Row
from pipelines.show import readable_values as as_text

# Okabe and Ito's colours, which colour-blind people tell apart on light and on dark.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#808080"
_HEIGHT = 190


def rate_by_month(rows: Iterable[Row], title: str, highest: float | None = None) -> alt.LayerChart:
    """The failure rate of one scope and currency by month, with its interval; hollow where outcomes are still due."""
    data = _data(
        {
            "month": row["period_start_date"],
            "rate": row["attempt_failure_ratio"],
            "low": row["attempt_failure_low_ratio"],
            "high": row["attempt_failure_high_ratio"],
            "mature": "all outcomes in" if row["is_mature"] else "outcomes still due",
            "Month": as_text.month(row["period_start_date"]),
            "Failure rate": as_text.percent(row["attempt_failure_ratio"]),
            "95 % interval": as_text.interval(
                row["attempt_failure_low_ratio"], row["attempt_failure_high_ratio"]
            ).removeprefix("95 % interval "),
            "Attempts": f"{as_text.count(row['failed_attempt_count'])} failed of {as_text.count(row['attempt_count'])}",
        }
        for row in rows
        if row["attempt_failure_ratio"] is not None
    )
    domain = alt.Scale(domain=[0, highest], clamp=True) if highest else alt.Scale(zero=True)
    x = alt.X("month:T", title=None, axis=alt.Axis(format="%b %y", labelAngle=0, tickCount=5, grid=False))
    base = alt.Chart(data).encode(x=x)
    band = base.mark_area(opacity=0.18, color=BLUE).encode(
        y=alt.Y("low:Q", title=None, scale=domain, axis=alt.Axis(format="%", tickCount=4)), y2="high:Q"
    )
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(y=alt.Y("rate:Q", scale=domain))
    dots = base.mark_point(size=45, color=BLUE, opacity=1).encode(
        y=alt.Y("rate:Q", scale=domain),
        fill=alt.condition("datum.mature == 'all outcomes in'", alt.value(BLUE), alt.value("transparent")),
        tooltip=["Month:N", "Failure rate:N", "95 % interval:N", "Attempts:N", alt.Tooltip("mature:N", title="State")],
    )
    return _laid(band, line, dots, title=title)


def trend(rows: Iterable[Row], title: str, height: int = _HEIGHT) -> alt.LayerChart:
    """Problem entries a day: bars, the mean of seven days, the weekday's baseline, anomalies as diamonds."""
    listed = list(rows)
    data = _data(
        {
            "day": row["day_date"],
            "entries": row["problem_entry_count"],
            "mean": row["mean_7_day_count"],
            "baseline": row["baseline_count"],
            "anomaly": row["is_anomaly"],
            "Day": as_text.day(row["day_date"]),
            "Problem entries": as_text.count(row["problem_entry_count"]),
            "Usual for the weekday": _short(row["baseline_count"]),
            "7-day mean": _short(row["mean_7_day_count"]),
        }
        for row in listed
    )
    x = alt.X("day:T", title=None, axis=alt.Axis(format="%d %b", labelAngle=0, tickCount=4, grid=False))
    tooltip = ["Day:N", "Problem entries:N", "Usual for the weekday:N", "7-day mean:N"]
    base = alt.Chart(data).encode(x=x)
    y = alt.Y("entries:Q", title=None, axis=alt.Axis(tickCount=4, tickMinStep=1, format="d"))
    bars = base.mark_bar(color=GREY, opacity=0.45).encode(y=y, tooltip=tooltip)
    mean = base.mark_line(color=BLUE, strokeWidth=2).encode(y="mean:Q")
    usual = base.mark_line(color=ORANGE, strokeWidth=1.5, strokeDash=[4, 3]).encode(y="baseline:Q")
    layers = [bars, usual, mean]
    if any(row["is_anomaly"] for row in listed):
        odd = base.transform_filter("datum.anomaly").mark_point(shape="diamond", size=110, color=RED, filled=True)
        layers.append(odd.encode(y=y, tooltip=tooltip, opacity=alt.value(1)))
    return _laid(*layers, title=title, height=height)


def reasons(rows: Iterable[Row], title: str) -> alt.LayerChart:
    """Failed attempts by reason, this period as a bar and the one before as a tick."""
    listed = list(rows)
    data = _data(
        {
            "reason": as_text.words(row["failure_reason"]),
            "count": row["failed_attempt_count"],
            "before": row["previous_failed_attempt_count"],
            "Failed attempts": as_text.count(row["failed_attempt_count"]),
            "Period before": as_text.count(row["previous_failed_attempt_count"]),
            "Share": as_text.percent(row["failed_attempt_share_ratio"]),
            "Amount": as_text.money(row["failed_amount"], row["currency_code"]),
        }
        for row in listed
    )
    y = alt.Y("reason:N", title=None, sort=None, axis=alt.Axis(labelLimit=220, grid=False, labelOverlap=False))
    base = alt.Chart(data).encode(
        y=y, tooltip=["reason:N", "Failed attempts:N", "Period before:N", "Share:N", "Amount:N"]
    )
    bars = base.mark_bar(color=BLUE, height={"band": 0.62}).encode(
        x=alt.X("count:Q", title=None, axis=alt.Axis(tickCount=4, tickMinStep=1, format="d"))
    )
    before = base.mark_tick(color=ORANGE, thickness=3, height={"band": 0.9}).encode(x="before:Q")
    return _laid(bars, before, title=title, height=30 * max(1, len(listed)) + 60)


def ageing(rows: Iterable[Row], title: str) -> alt.LayerChart:
    """Open amounts by age."""
    data = _data(
        {
            "band": f"{row['ageing_band']} days",
            "amount": _drawn(row["open_amount"]),
            "Open": as_text.money(row["open_amount"], row["currency_code"]),
            "Invoices": as_text.count(row["open_invoice_count"]),
        }
        for row in rows
    )
    bands = [f"{band} days" for band in ("0-30", "31-60", "61-90", "91+")]
    base = alt.Chart(data).encode(
        y=alt.Y(
            "band:N",
            title=None,
            sort=None,
            scale=alt.Scale(domain=bands),
            axis=alt.Axis(grid=False, labelOverlap=False),
        ),
        tooltip=["band:N", "Open:N", "Invoices:N"],
    )
    bars = base.mark_bar(color=BLUE, height={"band": 0.62}).encode(
        x=alt.X("amount:Q", title=None, axis=alt.Axis(tickCount=3, format="~s"))
    )
    return _laid(bars, title=title, height=190)


def alternative(title: str, rows: Iterable[str]) -> str:
    """What a screen reader says instead of a chart."""
    return f"{title}. {'; '.join(rows)}"[:1500]


def _laid(*layers: alt.Chart, title: str, height: int = _HEIGHT) -> alt.LayerChart:
    heading = alt.TitleParams(title, anchor="start", fontSize=13)
    return cast("alt.LayerChart", alt.layer(*layers).properties(title=heading, height=height, width="container"))


def _data(rows: Iterable[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData([{name: _drawn(value) for name, value in row.items()} for row in rows])


def _drawn(value: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _short(value: float | None) -> str:
    return as_text.NOTHING if value is None else f"{value:.1f}"
