"""Entries: the history entries behind any figure, how each is classified and by which rule; with a CSV export."""

import csv
import io
from html import escape

import streamlit as st

from pipelines.foundation.shown_text import shown_in_spreadsheet
from pipelines.publish.snapshot import Row
from pipelines.show import follow_ups, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import html, nothing

FILTERS = ("period", "business", "currency", "kind", "reason")
PAGE_SIZE = 50
MOST_EXPORTED = 100_000
_COLUMNS = (
    Column("Entry"),
    Column("Created"),
    Column("Business"),
    Column("Invoice"),
    Column("Title"),
    Column("Text"),
    Column("Kind"),
    Column("Reason"),
    Column("Rule", hover="The rule of sql/rules/entry_rules.csv that decided the kind and reason"),
)


def draw(frame: Frame) -> None:
    """The page: one entry where the address names one, else the list."""
    if frame.view.entry is not None:
        _one(frame, frame.view.entry)
        return
    total = frame.ask("entries_count")[0]["entry_count"]
    st.subheader(f"{as_text.count(total)} entries{_described(frame)}")
    if total:
        _list(frame, total)
    else:
        nothing("No entry in this view", "Choose another period, or fewer filters.")
    if total or frame.view.invoice is not None:
        follow_ups.draw_of_view(frame)


def _list(frame: Frame, total: int) -> None:
    view = frame.view
    page = min(view.page_number, -(-total // PAGE_SIZE))
    rows = frame.ask("entries", limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)
    if view.invoice is None:
        html(f'<p class="nb-nav"><a href="#{follow_ups.ANCHOR}">Follow-ups on these invoices</a></p>')
    first = (page - 1) * PAGE_SIZE + 1
    caption = (
        f"{as_text.count(first)} to {as_text.count(first + len(rows) - 1)} of {as_text.count(total)}, newest first"
    )
    html(markup.table(caption, _COLUMNS, [entry_row(frame, row) for row in rows], css="nb-wider"))
    _pages(frame, page, total)
    st.download_button(
        f"Export as CSV{'' if total <= MOST_EXPORTED else f' (the newest {MOST_EXPORTED:,})'}",
        data=lambda: export(frame),
        file_name="entries.csv",
        mime="text/csv",
        on_click="ignore",
    )


def export(frame: Frame) -> bytes:
    """The entries of a view as CSV: formulas escaped, with the byte order mark that tells Excel it is UTF-8."""
    rows = frame.ask("entries", limit=MOST_EXPORTED, offset=0)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(rows[0] if rows else [])
    for row in rows:
        writer.writerow([shown_in_spreadsheet(value) if isinstance(value, str) else value for value in row.values()])
    return text.getvalue().encode("utf-8-sig")


def entry_row(frame: Frame, row: Row) -> list[Cell | str]:
    """An entry's row."""
    view = frame.view
    return [
        Cell(str(row["entry_id"]), link=view.address("entries", entry=row["entry_id"])),
        as_text.moment(row["created_at"], frame.zone),
        row["business_name"],
        ""
        if row["invoice_id"] is None
        else Cell(str(row["invoice_id"]), link=view.address_of_invoice(row["invoice_id"])),
        Cell(row["name"] or "", tone="nb-text"),
        Cell(row["description"] or "", tone="nb-text"),
        as_text.words(row["kind"]),
        "" if row["failure_reason"] is None else as_text.words(row["failure_reason"]),
        row["rule_name"] or "no rule matches",
    ]


def _described(frame: Frame) -> str:
    view = frame.view
    if view.invoice is not None:
        return f" of invoice {view.invoice}"
    when = as_text.day(view.day_date) if view.day_date else view.period.label
    return f", {when}{', only entries counted in the rates' if view.counted else ''}"


def _pages(frame: Frame, page: int, total: int) -> None:
    links = []
    if page > 1:
        links.append(
            f'<a href="{escape(frame.view.address("entries", page_number=page - 1))}" target="_self">Newer</a>'
        )
    if page * PAGE_SIZE < total:
        links.append(
            f'<a href="{escape(frame.view.address("entries", page_number=page + 1))}" target="_self">Older</a>'
        )
    if links:
        html(f'<nav class="nb-nav" aria-label="Pages of entries"><p>{" · ".join(links)}</p></nav>')


def _one(frame: Frame, entry_id: int) -> None:
    found = frame.ask("entry", entry=entry_id)
    back = frame.view.address("entries", entry=None)
    html(f'<p class="nb-nav"><a href="{escape(back)}" target="_self">Back to the list</a></p>')
    if not found:
        nothing(
            f"There is no entry {entry_id} here", "It may have been deleted in Nexudus, or it is newer than this file."
        )
        return
    row = found[0]
    st.subheader(f"Entry {entry_id}: {as_text.words(row['kind'])}")
    html(markup.definitions(_facts(frame, row)))
    st.subheader("Why it is classified this way")
    html(markup.definitions(_rule(row)))
    st.subheader("The invoice")
    html(markup.definitions(_invoice(frame, row)))
    if row["invoice_id"] is not None:
        link = frame.view.address_of_invoice(row["invoice_id"])
        html(f'<p class="nb-nav"><a href="{escape(link)}" target="_self">All entries of this invoice</a></p>')
        follow_ups.draw_of_invoice(frame, row["invoice_id"])


def _facts(frame: Frame, row: Row) -> list[tuple[str, str]]:
    return [
        ("Title", row["name"] or as_text.NOTHING),
        ("Text", row["description"] or as_text.NOTHING),
        ("Business", row["business_name"]),
        ("Created", f"{as_text.moment(row['created_at'], frame.zone)} {frame.zone}"),
        ("Last changed", f"{as_text.moment(row['updated_at'], frame.zone)} {frame.zone}"),
        ("Flagged by the API", "yes" if row["is_problem"] else "no"),
        ("Excluded from rates", as_text.words(row["excluded_because"]) if row["excluded_because"] else "no"),
    ]


def _rule(row: Row) -> list[tuple[str, str]]:
    explained = [
        ("Kind", as_text.words(row["kind"])),
        ("Reason", as_text.words(row["failure_reason"])),
        ("Rule", f"{row['rule_name']} (priority {row['rule_priority']})"),
        ("Words understood", "yes" if row["is_understood"] else "no: see `nexudus-billing rules explain`"),
    ]
    return explained + ([("Next step", row["next_step"])] if row["next_step"] else [])


def _invoice(frame: Frame, row: Row) -> list[tuple[str, str]]:
    if row["invoice_id"] is None:
        return [("Invoice", "The entry has no invoice.")]
    paid = f"paid {as_text.moment(row['paid_at'], frame.zone)}" if row["is_paid"] else "not paid"
    return [
        ("Invoice", f"{row['invoice_number'] or as_text.NOTHING} (id {row['invoice_id']})"),
        ("Amount", as_text.money(row["total_amount"], row["currency_code"])),
        ("State", f"{paid}{', refunded' if row['is_refunded'] else ''}"),
        ("As of", f"{as_text.moment(row['as_of_at'], frame.zone)} {frame.zone}"),
    ]
