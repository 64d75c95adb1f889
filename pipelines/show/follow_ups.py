"""Follow-ups: what this program recorded on the invoices that one looks at, and whether it is on Nexudus."""

import streamlit as st

from pipelines.publish.snapshot import MissingTableError, Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import Frame, html

ANCHOR = "follow-ups"
_MOST = 50
_COLUMNS = (
    Column("Reference", hover="What [ref …] at the end of the entry's text holds"),
    Column("State"),
    Column("Title"),
    Column("Invoice"),
    Column("Business"),
    Column("Asked for"),
    Column("State since"),
    Column("Id on Nexudus"),
)
_STATES = {
    "planned": "planned, not sent yet",
    "sending": "being sent",
    "confirmed": "confirmed, it was made",
    "refused": "refused, nothing was made",
    "unsure": "unsure whether it was made",
}


def draw_of_view(frame: Frame) -> None:
    """Those on the invoices whose entries a view shows."""
    _draw(frame, "this invoice" if frame.view.invoice is not None else "the invoices of this view")


def draw_of_invoice(frame: Frame, invoice_id: int) -> None:
    """Those on one invoice, whatever the filters."""
    _draw(frame, "this invoice", invoice=invoice_id, businesses=[], currencies=[])


def _draw(frame: Frame, where: str, **values: object) -> None:
    st.subheader("Follow-ups that we recorded", anchor=ANCHOR)
    try:
        rows = frame.ask("follow_ups", limit=_MOST + 1, **values)
    except MissingTableError as trouble:
        html(markup.notice(f"This file lacks the follow-ups: {trouble}"))
        return
    if not rows:
        html(markup.paragraph(f"None is recorded on {where}."))
        return
    said = f"Recorded on {where}, newest first"
    if len(rows) > _MOST:
        said = f"{said}: the newest {_MOST}; a filter shows older ones"
    html(markup.table(said, _COLUMNS, [follow_up_row(frame, row) for row in rows[:_MOST]], css="nb-wider"))


def follow_up_row(frame: Frame, row: Row) -> list[Cell | str]:
    """A follow-up's line. Its entry can be looked at once a sync has read it."""
    entry, invoice = row["entry_id"], row["invoice_id"]
    return [
        row["reference"],
        Cell(_state(row), tone="nb-text"),
        Cell(row["name"], tone="nb-text"),
        Cell(str(invoice), link=frame.view.address_of_invoice(invoice)),
        "not seen by a sync yet" if row["business_id"] is None else row["business_name"],
        as_text.moment(row["planned_at"], frame.zone),
        as_text.moment(row["changed_at"], frame.zone),
        as_text.NOTHING
        if entry is None
        else Cell(str(entry), link=frame.view.address("entries", entry=entry) if row["is_synced"] else ""),
    ]


def _state(row: Row) -> str:
    said = _STATES.get(row["state"], as_text.words(row["state"]))
    return f"{said}: {row['detail']}" if row["detail"] and row["entry_id"] is None else said
