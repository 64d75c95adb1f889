"""Overview: what went wrong lately; the failure rate by currency and business against the period before; the money."""

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.columns import RATES, Column
from pipelines.show.figure_tables import (
    DEFINITIONS,
    charted,
    failed_entries,
    findings,
    rate_rows,
    scope_filters,
    scope_name,
    scope_rows,
)
from pipelines.show.page_frame import draw_chart, grid, html, nothing, places

FILTERS = ("period", "business", "currency")
_MOST_CARDS = 12
_MOST_CHARTS = 3
_TREND = Column("13 months", "trend", "trend", "The failure rate of the last thirteen months")
_ENTRIES = Column("Failures", "entries", "link", "The failed attempts behind the row")


def lead(frame: Frame) -> None:
    """What stands above the filters: the findings, in words, with links to what is behind them."""
    html(findings(frame))


def draw(frame: Frame) -> None:
    """The page."""
    scopes = scope_rows(frame)
    if not scopes:
        nothing("No payment was attempted in this view", "Choose another period, or fewer businesses and currencies.")
        return
    trends = {
        (row["business_id"], row["currency_code"]): [float(ratio) for ratio in row["trend"] or ()]
        for row in frame.ask("rate_trends", until=frame.view.period.end_date)
    }
    _cards(frame, scopes[:_MOST_CARDS])
    html(markup.paragraph(_compared(frame)))
    _so_far(frame)
    rows = [
        row | {"trend": trends.get((row["business_id"], row["currency_code"])), "entries": failed_entries(frame, row)}
        for row in rate_rows(frame.ask("business_rates"))
    ]
    shown = (*RATES[:2], _ENTRIES, *RATES[2:5], _TREND, *RATES[5:])
    grid(f"By business and currency, {frame.view.period.label}, highest rate first", shown, rows)
    html(markup.paragraph(_in_flight(scopes)))
    with st.expander("What these figures mean"):
        html(markup.definitions(DEFINITIONS))


def _cards(frame: Frame, scopes: list[Row]) -> None:
    at_risk = {(row["business_id"], row["currency_code"]): row for row in frame.ask("expected")}
    for place, row in zip(places(len(scopes), 5), scopes, strict=False):
        scope = row["business_id"], row["currency_code"]
        change = row["first_attempt_failure_change_ratio"]
        with place.container(border=True):
            st.metric(
                scope_name(frame, *scope),
                as_text.percent(row["first_attempt_failure_ratio"]),
                None if change is None else f"{100 * change:+.1f} points{'' if row['verdict'] else ', may be chance'}",
                "inverse" if row["verdict"] else "off",
                delta_arrow="auto" if row["verdict"] else "off",
                help=f"95 % interval {row['range']}.",
            )
            html(_money(frame, row, at_risk.get(scope)))


def _money(frame: Frame, row: Row, at_risk: Row | None) -> str:
    """What failed, what came in later, and what is at risk now, with links to what is behind each."""
    lines = [
        f"{row['failed_of']} failed: "
        + markup.link(
            as_text.money(row["failed_first_attempt_amount"], row["currency_code"]), failed_entries(frame, row)
        )
    ]
    if row["recovered_ratio"] is not None:
        lines.append(f"{as_text.percent(row['recovered_ratio'], 0)} of them recovered so far")
    if at_risk:
        amount = as_text.money(at_risk["open_amount"], row["currency_code"])
        worklist = frame.view.address("worklist", **scope_filters(frame, row))
        lines.append(
            f"{markup.link(amount, worklist)} at risk now, "
            f"about {as_text.percent(at_risk['expected_ratio'], 0)} expected"
        )
    return "".join(f'<p class="nb-line">{line}</p>' for line in lines)


def _compared(frame: Frame) -> str:
    period = frame.view.period
    if not period.has_previous:
        return f"{period.label}. The data does not cover the period before, so there is nothing to compare with."
    return f"{period.label}, compared with {period.previous_label}{'' if period.is_complete else ': like days'}."


def _in_flight(scopes: list[Row]) -> str:
    pending = [row for row in scopes if row["pending_count"]]
    if not pending:
        return "No payment that began in this period is still in flight."
    named = ", ".join(
        f"{as_text.currency(row['currency_code'])} {as_text.count(row['pending_count'])}" for row in pending
    )
    return f"Payments still in flight, so not in the rates: {named}. Each counts on the day of its outcome."


def _so_far(frame: Frame) -> None:
    """The headline from the first of the month to each day, against the month before."""
    if frame.view.period.kind != "month":
        return
    shown = charted(frame, "months_so_far", _MOST_CHARTS, month=frame.view.period.start_date)
    for place, (scope, rows, incidents) in zip(places(len(shown), 3), shown, strict=False):
        title = scope_name(frame, *scope)
        with place:
            draw_chart(
                charts.month_so_far(rows, title, frame.view.period.start_date, incidents),
                charts.alternative(
                    f"Failure rate so far, by day of the month, {title}",
                    [
                        f"{as_text.day(row['day_date'])} {as_text.percent(row['first_attempt_failure_ratio'])}"
                        for row in rows[::-5]
                    ],
                ),
            )
    html(
        markup.paragraph(
            "The failure rate from the first of the month to each day: blue this month, dashed grey the month before. "
            "Shaded: an incident. Problem trends shows the months."
        )
    )
