"""Worklist: the invoices that failed and are still open, with what to do about each, and the customers behind them."""

from datetime import datetime, timedelta

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.columns import BUSINESS, CURRENCY, Column
from pipelines.show.page_frame import grid, html, nothing

FILTERS = ("business", "currency")
_MOST_INVOICES = 5000
_INVOICES = (
    Column("Invoice", "number"),
    Column("History", "address", "link", "All that happened to the invoice"),
    BUSINESS,
    Column("Customer", "coworker_id", "id"),
    Column("Amount", "open_amount", "money", "What is due of it"),
    CURRENCY,
    Column("Days overdue", "overdue_days", "count", "Days since it was due; empty where the API gives no due date"),
    Column("Failed attempts", "failed_attempt_count", "count"),
    Column("In flight since", "in_flight_date", "day", "Since when a payment of it is under way"),
    Column("Last reason", "last_failure_reason", "words"),
    Column("Chance", "recovery_probability", "percent", "How likely it is recovered by the 90th day after its failure"),
    Column("Next step", "next_step"),
    Column("Last failed", "last_failed_date", "day"),
    Column("Days open", "open_days", "count", "Days since its first failure"),
)
_CUSTOMERS = (
    Column("Customer", "coworker_id", "id"),
    CURRENCY,
    Column("At risk", "open_amount", "money", "What is due of their failed invoices"),
    Column("Open invoices", "open_invoice_count", "count"),
    Column("Failed in 90 days", "failed_invoice_90_day_count", "count", "Invoices that failed in the last 90 days"),
    Column("Failed attempts", "failed_attempt_90_day_count", "count", "Failed attempts of the last 90 days"),
    Column("Attempts", "attempt_90_day_count", "count", "Attempts of the last 90 days"),
    Column("Ever paid", "collected_invoice_count", "count", "Invoices of which an attempt succeeded, at any time"),
    Column("Last attempt", "last_attempt_date", "day"),
    Column("Repeat", "is_repeat_offender", "flag", "Two or more invoices failed in the last 90 days"),
    Column("New", "is_new", "flag", "First seen in the last 90 days"),
)
_NAME = Column("Name", "customer_name")


def draw(frame: Frame) -> None:
    """The page."""
    rows = frame.ask("worklist", limit=_MOST_INVOICES)
    if rows:
        st.subheader(f"{as_text.count(len(rows))} open invoices after a failed payment")
        grid(
            "Those that failed first most recently come first: they are the likeliest to be paid",
            _named(frame, _INVOICES, 4),
            [_line(frame, row) for row in rows],
        )
        html(
            markup.paragraph(
                "To mark invoices for follow-up in Nexudus: `nexudus-billing escalate` lists what is due, `--send` "
                "sends."
            )
        )
    else:
        nothing("No invoice is open after a failed payment", "Every one in this view was paid or refunded since.")
    if len(rows) == _MOST_INVOICES:
        html(markup.notice(f"Only the newest {_MOST_INVOICES:,} are shown; choose a business or a currency."))
    customers = frame.ask("customers", limit=_MOST_INVOICES)
    if customers:
        st.subheader("Customers who fail again and again, or owe")
        grid("Most at risk first", _named(frame, _CUSTOMERS, 1), customers)


def _named(frame: Frame, shown: tuple[Column, ...], place: int) -> tuple[Column, ...]:
    """With the customers' names, where they are published."""
    return (*shown[:place], _NAME, *shown[place:]) if frame.snapshot.about.has_personal_data else shown


def _line(frame: Frame, row: Row) -> Row:
    return row | {
        "number": row["invoice_number"] or str(row["invoice_id"]),
        "overdue_days": _overdue_days(row["due_at"], frame.snapshot.about.data_as_of_at),
        "address": frame.view.address_of_invoice(row["invoice_id"]),
    }


def _overdue_days(due_at: datetime | None, until: datetime | None) -> int | None:
    """Whole days between the due date and the end of the data; null where the API gives no due date."""
    return None if due_at is None or until is None else max(0, (until - due_at) // timedelta(days=1))
