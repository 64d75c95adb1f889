"""Follow-ups: what this program recorded on the invoices in view, and whether it was created in Nexudus."""

import streamlit as st

from pipelines.publish.snapshot import MissingTableError, Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import html

ANCHOR = "follow-ups"
_MOST = 50
_COLUMNS = (
    Column("Reference", hover="The code in [ref …] at the end of the entry's text"),
    Column("State"),
    Column("Title"),
    Column("Invoice"),
    Column("Business"),
    Column("Requested"),
    Column("Last change"),
    Column("Id in Nexudus"),
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
    st.subheader("Follow-ups recorded by this program", anchor=ANCHOR)
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
    html(markup.table(said, _COLUMNS, [follow_up_row(frame, row) for row in rows[:_MOST]], css="nb-wider"))


def follow_up_row(frame: Frame, row: Row) -> list[Cell | str]:
    """A follow-up's row. Its Id is a link once a sync has read the entry."""
    entry, invoice = row["entry_id"], row["invoice_id"]
    return [
        row["reference"],
        Cell(_state(row), tone="nb-text"),
        Cell(row["name"] or as_text.NOTHING, tone="nb-text"),
        Cell(str(invoice), link=frame.view.address_of_invoice(invoice)),
        "not synced yet" if row["business_id"] is None else row["business_name"],
        as_text.moment(row["planned_at"], frame.zone),
        as_text.moment(row["changed_at"], frame.zone),
        as_text.NOTHING
        if entry is None
        else Cell(str(entry), link=frame.view.address("entries", entry=entry) if row["is_synced"] else ""),
    ]


def _state(row: Row) -> str:
    said = _STATES.get(row["state"], as_text.words(row["state"]))
    return f"{said}. {row['detail']}" if row["detail"] and row["entry_id"] is None else said
