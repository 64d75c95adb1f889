"""Follow-ups: what this program recorded on the invoices in view, and whether it was created in Nexudus."""

import streamlit as st

from pipelines.publish.snapshot import MissingTableError, Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.columns import BUSINESS, Column
from pipelines.show.page_frame import grid, html

_MOST = 500
_COLUMNS = (
    Column("Reference", "reference", meaning="The code in [ref …] at the end of the entry's text"),
    Column("History", "invoice", "link", "All that happened to the invoice"),
    Column("Why", "entry", "link", "The entry in Nexudus, once a sync has read it"),
    Column("State", "said"),
    Column("Title", "name"),
    Column("Invoice", "invoice_id", "id"),
    BUSINESS,
    Column("Requested", "planned_at", "moment"),
    Column("Last change", "changed_at", "moment"),
    Column("Id in Nexudus", "entry_id", "id"),
)
_STATES = {
    "planned": "planned: not sent yet",
    "sending": "being sent",
    "confirmed": "confirmed: created in Nexudus",
    "refused": "refused: not created",
    "unsure": "unconfirmed: it may have been created",
}


def draw_of_view(frame: Frame) -> None:
    """The follow-ups on the invoices whose entries a view shows."""
    _draw(frame, "this invoice" if frame.view.invoice is not None else "the invoices of this view")


def draw_of_invoice(frame: Frame, invoice_id: int) -> None:
    """The follow-ups on one invoice, whatever the filters."""
    _draw(frame, "this invoice", invoice=invoice_id, businesses=[], currencies=[])


def _draw(frame: Frame, where: str, **values: object) -> None:
    st.subheader("Follow-ups recorded by this program")
    try:
        rows = frame.ask("follow_ups", limit=_MOST + 1, **values)
    except MissingTableError as trouble:
        html(markup.notice(f"This file has no follow-ups: {trouble}"))
        return
    if not rows:
        html(markup.paragraph(f"No follow-ups on {where}."))
        return
    said = f"Follow-ups on {where}, newest first"
    if len(rows) > _MOST:
        said = f"{said}; only the newest {_MOST} are shown, filter to see others"
    grid(said, _COLUMNS, [_line(frame, row) for row in rows[:_MOST]], zone=frame.zone)


def _line(frame: Frame, row: Row) -> Row:
    return row | {
        "said": _state(row),
        "business_name": "not synced yet" if row["business_id"] is None else row["business_name"],
        "invoice": frame.view.address_of_invoice(row["invoice_id"]),
        "entry": frame.view.address("entries", entry=row["entry_id"]) if row["is_synced"] else "",
    }


def _state(row: Row) -> str:
    said = _STATES.get(row["state"], as_text.words(row["state"]))
    return f"{said}. {row['detail']}" if row["detail"] and row["entry_id"] is None else said
