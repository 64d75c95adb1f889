"""Reasons: why payment attempts failed, how often, how much, and against the period before."""

import streamlit as st

from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.figure_tables import REASON_COLUMNS, by_scope, reason_row
from pipelines.show.page_frame import draw_chart, grid, html, nothing

FILTERS = ("period", "business", "currency")
_MOST_CHARTS = 6


def draw(frame: Frame) -> None:
    """The page."""
    rows = frame.ask("reasons")
    if not [row for row in rows if row["failed_attempt_count"]]:
        nothing("No payment attempt failed in this view", "Choose another period, or fewer businesses and currencies.")
        return
    st.subheader(f"Why payments failed, {frame.view.period.label}")
    html(
        markup.paragraph(
            f"Bars are this period, orange ticks the period before ({frame.view.period.previous_label})."
            if frame.view.period.has_previous
            else "The data does not cover the period before."
        )
    )
    failing = [
        group
        for group in by_scope(rows, "failed_attempt_count")
        if any(row["failed_attempt_count"] for row in group[1])
    ]
    largest = failing[:_MOST_CHARTS]
    for place, ((business_id, currency), reasons) in zip(grid(len(largest), 2), largest, strict=False):
        title = f"{frame.business(business_id)}, {as_text.currency(currency)}"
        said = [f"{as_text.words(row['failure_reason'])} {row['failed_attempt_count']}" for row in reasons]
        with place:
            draw_chart(charts.reasons(reasons, title), charts.alternative(f"Failed attempts by reason, {title}", said))
    listed = [reason_row(frame, row) for row in rows]
    html(markup.table(f"Reasons, {frame.view.period.label}", REASON_COLUMNS, listed, css="nb-wide"))
