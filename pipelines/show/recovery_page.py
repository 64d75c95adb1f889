"""Recovery: which part of what failed is paid after all and how soon, and what is open for how long."""

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import Frame, draw_chart, grid, html, nothing

FILTERS = ("period", "business", "currency")
DAYS = (1, 3, 7, 14, 28)
_MOST_INVOICES = 100
_MOST_TABLES = 12
COHORT_COLUMNS = (
    Column("First failed in"),
    Column("Failed", True, "Invoices whose first failed attempt was in the month"),
    *(Column(f"{days} d", True, f"Recovered within {days} days, of the invoices old enough to tell") for days in DAYS),
    Column("So far", True, "Recovered by now"),
    Column("Still open", True, "Amount of the invoices that are not paid"),
)
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
        nothing("No invoice failed in this view", "Choose a later period, or fewer businesses and currencies.")
        return
    st.subheader(f"Paid after all, by month of the first failure, up to {frame.view.period.label}")
    html(
        markup.paragraph(
            "The darker, the larger the share that was paid by any means within so many days. A dash means that no "
            "invoice of the month is old enough to tell; hover for the counts."
        )
    )
    groups: dict[tuple[int | None, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["business_id"], row["currency_code"]), []).append(row)
    largest = sorted(groups.items(), key=lambda group: -max(row["failed_invoice_count"] for row in group[1]))
    for (business_id, currency), cohorts in largest[:_MOST_TABLES]:
        title = f"{frame.business(business_id)}, {as_text.currency(currency)}"
        html(markup.table(title, COHORT_COLUMNS, [cohort_row(row) for row in cohorts], css="nb-wide nb-heat"))
    if len(groups) > _MOST_TABLES:
        html(markup.paragraph(f"{len(groups) - _MOST_TABLES} more are not shown; choose a business or a currency."))
    _open_amounts(frame)


def cohort_row(row: Row) -> list[Cell | str]:
    """A cohort's line of the heat map."""
    return [
        as_text.month(row["month_start_date"]),
        as_text.count(row["failed_invoice_count"]),
        *(_within(row, days) for days in DAYS),
        Cell(
            as_text.percent(row["recovery_ratio"], 0),
            hover=f"{as_text.count(row['recovered_invoice_count'])} of {as_text.count(row['failed_invoice_count'])} "
            f"invoices; {as_text.percent(row['recovery_amount_ratio'], 0)} of the amount",
            shade_ratio=row["recovery_ratio"],
        ),
        as_text.money(row["open_amount"], row["currency_code"]),
    ]


def _within(row: Row, days: int) -> Cell:
    ratio = row[f"recovered_{days}_day_ratio"]
    if ratio is None:
        return Cell(as_text.NOTHING, hover="No invoice of the month is old enough to tell", tone="nb-open")
    return Cell(
        as_text.percent(ratio, 0),
        hover=f"{as_text.count(row[f'recovered_{days}_day_count'])} of "
        f"{as_text.count(row[f'observed_{days}_day_count'])} invoices old enough; "
        f"{as_text.percent(row[f'recovered_{days}_day_amount_ratio'], 0)} of the amount",
        shade_ratio=ratio,
    )


def _open_amounts(frame: Frame) -> None:
    st.subheader("Still open now, by age")
    rows = frame.ask("open_amounts")
    if not rows:
        html(markup.notice("Every invoice that failed is paid or refunded.", "good"))
        return
    groups: dict[tuple[int | None, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["business_id"], row["currency_code"]), []).append(row)
    shown = list(groups.items())[:_MOST_TABLES]
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


AGEING_COLUMNS = (
    Column("Scope"),
    Column("Currency"),
    Column("Age in days"),
    Column("Invoices", True),
    Column("Open amount", True),
    Column("Oldest", True, "Days that the oldest has been open"),
)


def ageing_row(frame: Frame, row: Row) -> list[Cell | str]:
    """A band's line of the table of open amounts."""
    return [
        frame.business(row["business_id"]),
        as_text.currency(row["currency_code"]),
        row["ageing_band"],
        as_text.count(row["open_invoice_count"]),
        as_text.money(row["open_amount"], row["currency_code"]),
        f"{row['oldest_open_days']} days",
    ]


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
