"""Worklist: the invoices that failed and are still open, with what to do about each. Sorts, searches, downloads."""

from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from pipelines.foundation.shown_text import shown_in_spreadsheet
from pipelines.publish.snapshot import Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.page_frame import html, nothing

FILTERS = ("business", "currency")
_MOST_INVOICES = 5000
_SHORT, _HEIGHT = 12, 480


def draw(frame: Frame) -> None:
    """The page."""
    rows = frame.ask("worklist", limit=_MOST_INVOICES)
    if not rows:
        nothing("No invoice is open after a failed payment", "Every one in this view was paid or refunded since.")
        return
    st.subheader(f"{as_text.count(len(rows))} open invoices after a failed payment")
    html(
        markup.paragraph(
            "Those that failed first most recently come first: they are the likeliest to be paid. Click a heading to "
            "sort; search and download are at the top right of the table."
        )
    )
    if len(rows) == _MOST_INVOICES:
        html(markup.notice(f"Only the newest {_MOST_INVOICES:,} are shown; choose a business or a currency."))
    st.dataframe(
        [_line(frame, row) for row in rows],
        hide_index=True,
        height="content" if len(rows) <= _SHORT else _HEIGHT,
        column_config={
            "Amount": st.column_config.NumberColumn(format="localized"),
            "History": st.column_config.LinkColumn(display_text="Entries", help="All entries of the invoice"),
        },
    )


def _line(frame: Frame, row: Row) -> dict[str, Any]:
    return {
        "Invoice": shown_in_spreadsheet(row["invoice_number"] or str(row["invoice_id"])),
        "Business": shown_in_spreadsheet(row["business_name"]),
        "Customer": str(row["coworker_id"] or as_text.NOTHING),
        "Amount": row["open_amount"],
        "Currency": as_text.currency(row["currency_code"]),
        "Days overdue": _overdue_days(row["due_at"], frame.snapshot.about.data_as_of_at),
        "Failed attempts": row["failed_attempt_count"],
        "Last reason": as_text.words(row["last_failure_reason"]),
        "Next step": row["next_step"],
        "Last failed": row["last_failed_date"],
        "Days open": row["open_days"],
        "History": frame.view.address_of_invoice(row["invoice_id"]),
    }


def _overdue_days(due_at: datetime | None, until: datetime | None) -> int | None:
    """Whole days between the due date and the end of the data; null where the API gives no due date."""
    return None if due_at is None or until is None else max(0, (until - due_at) // timedelta(days=1))
