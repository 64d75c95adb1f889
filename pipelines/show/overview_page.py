"""Overview: what went wrong lately; the failure rate by currency and business against the period before; amounts."""

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.figure_tables import DEFINITIONS, RATE_COLUMNS, findings, months, rate_cards, rate_row
from pipelines.show.page_frame import draw_chart, grid, html, nothing

FILTERS = ("period", "business", "currency")
_MOST_CARDS = 12
_MOST_CHARTS = 9


def lead(frame: Frame) -> None:
    """What stands above the filters: the findings, in words, with links to what is behind them."""
    html(findings(frame))


def draw(frame: Frame) -> None:
    """The page."""
    scopes = frame.ask("scope_rates")
    if not scopes:
        nothing("No payment was attempted in this view", "Choose another period, or fewer businesses and currencies.")
        return
    period = frame.view.period
    html(rate_cards(frame, scopes[:_MOST_CARDS]))
    html(markup.paragraph(_compared(frame)))
    _by_month(frame)
    html(
        markup.table(
            f"By business and currency, {period.label}, highest rate first",
            RATE_COLUMNS,
            [rate_row(frame, row) for row in frame.ask("business_rates")],
            css="nb-wide",
        )
    )
    html(markup.paragraph(_in_flight(scopes)))
    with st.expander("What these figures mean"):
        html(markup.definitions(DEFINITIONS))


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


def _by_month(frame: Frame) -> None:
    shown = months(frame, frame.view.period.end_date, _MOST_CHARTS)
    st.subheader("By month")
    html(
        markup.paragraph(
            "The line is the rate, the band its 95 % interval. A hollow point: the month is incomplete. "
            "Shaded: months with an incident of the business. All charts share one scale; values above it are cut off."
        )
    )
    rates = [
        row["first_attempt_failure_ratio"] or 0
        for _, rows, incidents in shown
        for row in rows
        if not row["is_small_sample"] or incidents
    ]
    highest = min(1.0, 1.4 * max(rates, default=0) or 1.0)
    for place, ((business_id, currency), rows, incidents) in zip(grid(len(shown), 3), shown, strict=False):
        name = as_text.currency(currency)
        title = name if business_id is None else f"{frame.business(business_id)}, {name}"
        said = [
            f"{as_text.month(row['period_start_date'])} {as_text.percent(row['first_attempt_failure_ratio'])}"
            for row in rows[-13:]
        ]
        with place:
            draw_chart(
                charts.rate_by_month(rows, title, highest, incidents),
                charts.alternative(f"Failure rate by month, {title}", said),
            )
