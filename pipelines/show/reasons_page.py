"""Reasons: why payment attempts failed, how often, how much, and against the period before."""

import streamlit as st

from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.columns import BUSINESS, CURRENCY, REASONS, Column
from pipelines.show.figure_tables import by_scope, failed_entries, scope_name
from pipelines.show.page_frame import draw_chart, grid, html, nothing, places

FILTERS = ("period", "business", "currency")
_MOST_CHARTS = 6
_MOST_DRIVERS = 200
_DRIVERS = (
    BUSINESS,
    CURRENCY,
    Column("Driver", "driver", meaning="A reason; or mix: the business's share of all first attempts changed"),
    Column("Part of the change", "driven_change_ratio", "points", "The parts of a currency sum to its change"),
    Column("Failed", "failed_count", "count", "First attempts of the period that failed for it"),
    Column("Before", "previous_failed_count", "count", "The same in the period before"),
)


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
    for place, (scope, reasons) in zip(places(len(largest), 2), largest, strict=False):
        title = scope_name(frame, *scope)
        said = [f"{as_text.words(row['failure_reason'])} {row['failed_attempt_count']}" for row in reasons]
        with place:
            draw_chart(charts.reasons(reasons, title), charts.alternative(f"Failed attempts by reason, {title}", said))
    listed = [row | {"entries": failed_entries(frame, row, reasons=(row["failure_reason"],))} for row in rows]
    shown = (*REASONS[:3], Column("Failures", "entries", "link", "The failed attempts behind the row"), *REASONS[3:])
    grid(f"Reasons, {frame.view.period.label}", shown, listed)
    if frame.view.period.has_previous:
        grid("What explains the change of the failure rate", _DRIVERS, frame.ask("drivers", limit=_MOST_DRIVERS))
