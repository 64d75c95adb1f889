"""Recovery: how much of what failed was paid later and how soon, and what is still open for how long."""

from html import escape

import streamlit as st

from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.figure_tables import AGEING_COLUMNS, COHORT_COLUMNS, ageing_row, by_scope, cohort_row
from pipelines.show.page_frame import draw_chart, grid, html, nothing

FILTERS = ("period", "business", "currency")
_MOST_TABLES = 12


def draw(frame: Frame) -> None:
    """The page."""
    name = "business_cohorts" if frame.view.businesses else "cohorts"
    rows = frame.ask(name, until=frame.view.period.end_date)
    if not rows:
        nothing("No payment failed in this view", "Choose a later period, or fewer businesses and currencies.")
        return
    st.subheader(f"Recovered, by month of the first failure, up to {frame.view.period.label}")
    html(
        markup.paragraph(
            "Each cell is the share of invoices that were paid, by any means, within 1, 3, 7, 14 or 28 days of the "
            "first failure; darker is more. A dash: no invoice of the month is that old yet. Hover for the counts."
        )
    )
    largest = by_scope(rows, "failed_invoice_count")
    for (business_id, currency), cohorts in largest[:_MOST_TABLES]:
        title = f"{frame.business(business_id)}, {as_text.currency(currency)}"
        html(markup.table(title, COHORT_COLUMNS, [cohort_row(row) for row in cohorts], css="nb-wide nb-heat"))
    if len(largest) > _MOST_TABLES:
        html(markup.paragraph(f"{len(largest) - _MOST_TABLES} more are not shown; choose a business or a currency."))
    _open_amounts(frame)


def _open_amounts(frame: Frame) -> None:
    st.subheader("Still open now, by age")
    rows = frame.ask("open_amounts")
    if not rows:
        html(markup.notice("Every invoice whose payment failed has been paid or refunded since.", "good"))
        return
    shown = by_scope(rows)[:_MOST_TABLES]
    for place, ((business_id, currency), bands) in zip(grid(len(shown), 3), shown, strict=False):
        title = f"{frame.business(business_id)}, {as_text.currency(currency)}"
        said = [f"{row['ageing_band']} days {as_text.money(row['open_amount'], currency)}" for row in bands]
        with place:
            draw_chart(charts.ageing(bands, title), charts.alternative(f"Open amounts by age, {title}", said))
    html(markup.table("Open amounts by age", AGEING_COLUMNS, [ageing_row(frame, row) for row in rows]))
    worklist = escape(frame.view.address("worklist"), quote=True)
    html(f'<p class="nb-nav"><a href="{worklist}" target="_self">The invoices themselves: worklist</a></p>')
