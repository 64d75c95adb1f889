"""Recovery: how much of what failed was paid later and how soon, and what is still open for how long."""

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.figure_tables import AGEING_COLUMNS, COHORT_COLUMNS, ageing_row, by_scope, cohort_row
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import draw_chart, grid, html, nothing

FILTERS = ("period", "business", "currency")
_MOST_INVOICES = 100
_MOST_TABLES = 12
_INVOICE_COLUMNS = (
    Column("Invoice"),
    Column("Business"),
    Column("Amount", True),
    Column("First failed"),
    Column("Open days", True),
    Column("Failed attempts", True),
    Column("Last reason"),
)


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
    invoices = frame.ask("open_invoices", limit=_MOST_INVOICES)
    html(
        markup.table(
            f"The {_MOST_INVOICES} longest open invoices" if len(invoices) == _MOST_INVOICES else "Open invoices",
            _INVOICE_COLUMNS,
            [_invoice_row(frame, row) for row in invoices],
            css="nb-wide",
        )
    )


def _invoice_row(frame: Frame, row: Row) -> list[Cell | str]:
    return [
        Cell(
            row["invoice_number"] or str(row["invoice_id"]),
            link=frame.view.address("entries", invoice=row["invoice_id"], businesses=(), currencies=(), kinds=()),
        ),
        row["business_name"],
        as_text.money(row["invoice_amount"], row["currency_code"]),
        as_text.day(row["first_failed_date"]),
        as_text.count(row["open_days"]),
        as_text.count(row["failed_attempt_count"]),
        as_text.words(row["last_failure_reason"]),
    ]
