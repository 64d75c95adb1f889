"""The charts of dashboard and report, as Vega-Lite. They draw published columns and compute no figure."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pipelines.foundation.shown_text import shown
from pipelines.publish.snapshot import Row
from pipelines.show import readable_values as as_text

Chart = dict[str, Any]
# The colours of Okabe and Ito, which colour-blind people can distinguish on light and dark backgrounds.
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#808080"
_HEIGHT = 190
_HALF_A_MONTH = timedelta(days=13)
_WHOLE_NUMBERS = {"tickCount": 4, "tickMinStep": 1, "format": "d"}


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
    return {
        "from": (first - _HALF_A_MONTH).isoformat(),
        "to": (max(first, last) + _HALF_A_MONTH).isoformat(),
        "Incident": _span(incident),
    }


def _span(incident: Row) -> str:
    until = "still lasts" if incident["is_open"] else f"until {as_text.day(incident['ended_on_date'])}"
    return f"since {as_text.day(incident['started_on_date'])}, {until}"


def _marked(shaded: list[dict[str, Any]], kind: str = "temporal") -> Chart:
    return {
        "data": {"values": shaded},
        "mark": {"type": "rect", "color": ORANGE, "opacity": 0.25},
        "encoding": {
            "x": {"field": "from", "type": kind},
            "x2": {"field": "to"},
            "tooltip": [{"field": "Incident", "type": "nominal"}],
        },
    }


def month_so_far(rows: Sequence[Row], title: str, month: date, incidents: Iterable[Row]) -> Chart:
    """The failure rate from the first of a month to each day, beside the month before; incidents shaded."""
    drawn = [
        {
            "day": row["day_of_month"],
            "rate": row["first_attempt_failure_ratio"],
            "State": "this month" if row["month_start_date"] == month else "the month before",
            "Until": as_text.day(row["day_date"]),
            "Failure rate": as_text.percent(row["first_attempt_failure_ratio"]),
            "First attempts": f"{as_text.count(row['failed_first_attempt_count'])} failed of "
            f"{as_text.count(row['first_attempt_count'])}",
        }
        for row in rows
    ]
    last = max((row["day_date"] for row in rows), default=month)
    shaded = [
        {
            "from": 1 if row["started_on_date"] < month else row["started_on_date"].day,
            "to": (row["ended_on_date"] or last).day,
            "Incident": _span(row),
        }
        for row in incidents
        if row["started_on_date"] <= last and (row["ended_on_date"] or last) >= month
    ]
    chart = _filled(_month_so_far(), drawn, title, _HEIGHT)
    return chart | {"layer": [_marked(shaded, "quantitative"), *chart["layer"]]} if shaded else chart


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
    return _filled(_reasons(), drawn, title, 30 * max(3, len(drawn)) + 60)


def curve(rows: Iterable[Row], title: str) -> Chart:
    """Which share of the failed invoices is recovered by each day since, with its interval."""
    drawn = [
        {
            "day": row["days_since_failure"],
            "share": row["recovered_ratio"],
            "low": row["recovered_low_ratio"],
            "high": row["recovered_high_ratio"],
            "Days since the failure": as_text.count(row["days_since_failure"]),
            "Recovered": as_text.percent(row["recovered_ratio"]),
        }
        for row in rows
    ]
    return _filled(_curve(), drawn, title, _HEIGHT)


def alternative(title: str, rows: Iterable[str]) -> str:
    """The text of a chart for screen readers."""
    return f"{title}. {'; '.join(rows)}"[:1500]


def _rate_by_month(highest: float | None) -> Chart:
    scale = {"domain": [0, highest], "clamp": True} if highest else {"zero": True}
    x = _field("month", "temporal", title=None, axis=_axis(format="%b %y", labelAngle=0, tickCount=5))
    y = _field("rate", "quantitative", scale=scale)
    shape = {"condition": {"test": "datum.State == 'complete'", "value": BLUE}, "value": "transparent"}
    tooltip = _tooltip("Month", "Failure rate", "95 % interval", "First attempts", "State")
    low = _field("low", "quantitative", title=None, scale=scale, axis={"format": "%", "tickCount": 4})
    return _made(
        _layer("area", x=x, y=low, y2={"field": "high"}, opacity=0.18, color=BLUE),
        _layer("line", x=x, y=y, color=BLUE, strokeWidth=2),
        _layer("point", x=x, y=y, fill=shape, tooltip=tooltip, size=45, color=BLUE, opacity=1),
    )


def _month_so_far() -> Chart:
    x = _field("day", "quantitative", title="day of the month", axis=_axis(tickCount=6), scale={"domain": [1, 31]})
    y = _field("rate", "quantitative", title=None, axis={"format": "%", "tickCount": 4})
    tooltip = _tooltip("State", "Until", "Failure rate", "First attempts")
    order = ["the month before", "this month"]
    color, dash = (
        _field("State", scale={"domain": order, "range": told}, legend=None)
        for told in ([GREY, BLUE], [[4, 3], [1, 0]])
    )
    drawn = _layer("line", x=x, y=y, tooltip=tooltip, strokeWidth=2, point={"size": 12})
    return _made(drawn | {"encoding": drawn["encoding"] | {"color": color, "strokeDash": dash}})


def _trend() -> Chart:
    x = _field("day", "temporal", title=None, axis=_axis(format="%d %b", labelAngle=0, tickCount=4))
    tooltip = _tooltip("Day", "Problem entries", "Usual for the weekday", "7-day mean")
    y = _field("entries", "quantitative", title=None, axis=_WHOLE_NUMBERS)
    usual, mean = (_field(name, "quantitative") for name in ("baseline", "mean"))
    return _made(
        _layer("bar", x=x, y=y, tooltip=tooltip, color=GREY, opacity=0.45),
        _layer("line", x=x, y=usual, color=ORANGE, strokeWidth=1.5, strokeDash=[4, 3]),
        _layer("line", x=x, y=mean, color=BLUE, strokeWidth=2),
    )


def _reasons() -> Chart:
    y = _field("Reason", title=None, sort=None, axis=_axis(labelLimit=220, labelOverlap=False))
    tooltip = _tooltip("Reason", "Failed attempts", "Period before", "Share", "Amount")
    x = _field("count", "quantitative", title=None, axis=_WHOLE_NUMBERS)
    before = _field("before", "quantitative")
    return _made(
        _layer("bar", x=x, y=y, tooltip=tooltip, color=BLUE, height={"band": 0.62}),
        _layer("tick", x=before, y=y, tooltip=tooltip, color=ORANGE, thickness=3, height={"band": 0.9}),
    )


def _curve() -> Chart:
    x = _field("day", "quantitative", title="days since the failure", axis=_axis(tickCount=6))
    scale = {"domain": [0, 1]}
    low = _field("low", "quantitative", title=None, scale=scale, axis={"format": "%", "tickCount": 4})
    share = _field("share", "quantitative", scale=scale)
    tooltip = _tooltip("Days since the failure", "Recovered")
    return _made(
        _layer("area", x=x, y=low, y2={"field": "high"}, opacity=0.18, color=BLUE),
        _layer("line", x=x, y=share, tooltip=tooltip, color=BLUE, strokeWidth=2),
    )


def _layer(mark: str, **parts: Any) -> Chart:  # noqa: ANN401 - what JSON can hold
    """A layer: where its marks stand and what they tell, and how they look."""
    encoding = {name: parts.pop(name) for name in ("x", "y", "y2", "fill", "tooltip") if name in parts}
    return {"mark": {"type": mark, **parts}, "encoding": encoding}


def _field(name: str, kind: str = "nominal", **more: Any) -> Chart:  # noqa: ANN401 - as above
    return {"field": name, "type": kind, **more}


def _axis(**more: Any) -> Chart:  # noqa: ANN401 - as above
    return {"grid": False, **more}


def _tooltip(*names: str) -> list[Chart]:
    return [_field(name) for name in names]


def _made(*layers: Chart) -> Chart:
    return {"layer": list(layers), "width": "container"}


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
