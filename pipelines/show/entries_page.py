"""Entries: what is behind any figure. A view's entries, one invoice with its history, or one entry and its rule."""

import csv
import io

import streamlit as st

from pipelines.foundation.shown_text import shown_in_spreadsheet
from pipelines.publish.snapshot import Row
from pipelines.settings import load_settings
from pipelines.show import follow_ups, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.columns import BUSINESS, CURRENCY, Column
from pipelines.show.page_frame import grid, html, nothing, search

FILTERS = ("period", "business", "currency", "kind", "reason")
MOST_SHOWN = 500
MOST_EXPORTED = 100_000
_COLUMNS = (
    Column("Entry", "entry_id", "id"),
    Column("Why", "entry", "link", "The entry, and why it is classified so"),
    Column("History", "invoice", "link", "All that happened to the invoice"),
    Column("Created", "created_at", "moment"),
    BUSINESS,
    Column("Kind", "kind", "words"),
    Column("Reason", "failure_reason", "words"),
    Column("Title", "name"),
    Column("Text", "description"),
    Column("Invoice", "invoice_number"),
    Column("Amount", "total_amount", "money", "Amount of the invoice"),
    CURRENCY,
    Column("Customer", "coworker_id", "id"),
    Column("Rule", "rule_name", meaning="The rule of sql/rules/entry_rules.csv that decided the kind and reason"),
)


def draw(frame: Frame) -> None:
    """The page: one entry where the address names one, else the list, of one invoice below what the invoice is."""
    view = frame.view
    if view.entry is not None:
        _one(frame, view.entry)
        return
    if view.invoice is not None:
        _invoice(frame, view.invoice)
    else:
        search(view)
    total = frame.ask("entries_count")[0]["entry_count"]
    st.subheader(f"{as_text.count(total)} entries{_described(frame)}")
    if total:
        _list(frame, total)
    else:
        nothing("No entry in this view", "Choose another period, or fewer filters.")
    if total or view.invoice is not None:
        follow_ups.draw_of_view(frame)


def _list(frame: Frame, total: int) -> None:
    rows = [
        row
        | {
            "entry": frame.view.address("entries", entry=row["entry_id"]),
            "invoice": "" if row["invoice_id"] is None else frame.view.address_of_invoice(row["invoice_id"]),
        }
        for row in frame.ask("entries", limit=MOST_SHOWN)
    ]
    order = "Newest first" if frame.view.invoice is None else "Oldest first"
    only = "" if total <= MOST_SHOWN else f"; only {MOST_SHOWN} are shown, filter to see others or export them"
    grid(f"{order}{only}", _COLUMNS, rows, zone=frame.zone)
    st.download_button(
        f"Export as CSV{'' if total <= MOST_EXPORTED else f' (the newest {MOST_EXPORTED:,})'}",
        data=lambda: export(frame),
        file_name="entries.csv",
        mime="text/csv",
        on_click="ignore",
    )


def export(frame: Frame) -> bytes:
    """The entries of a view as CSV: formulas escaped, with the byte order mark that tells Excel it is UTF-8."""
    rows = frame.ask("entries", limit=MOST_EXPORTED)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(rows[0] if rows else [])
    for row in rows:
        writer.writerow([shown_in_spreadsheet(value) if isinstance(value, str) else value for value in row.values()])
    return text.getvalue().encode("utf-8-sig")


def _described(frame: Frame) -> str:
    view = frame.view
    if view.invoice is not None:
        return f" of invoice {view.invoice}"
    when = as_text.day(view.day_date) if view.day_date else view.period.label
    return f", {when}{', only entries counted in the rates' if view.counted else ''}"


def _invoice(frame: Frame, invoice_id: int) -> None:
    found = frame.ask("invoice")
    html(
        markup.links(
            ("Back to the entries", frame.view.address("entries", invoice=None)),
            ("Worklist", frame.view.address("worklist", invoice=None)),
        )
    )
    outside = load_settings().invoice_url.replace("{invoice}", str(invoice_id))
    if not found:
        return
    row = found[0]
    st.subheader(f"Invoice {row['invoice_number'] or invoice_id}")
    html(markup.definitions(_invoice_facts(frame, row)))
    html(f'<p class="nb-nav">{markup.link("Open it in Nexudus", outside, "_blank")}</p>')


def _invoice_facts(frame: Frame, row: Row) -> list[tuple[str, str]]:
    state = as_text.words(row["invoice_status"])
    paid = f", paid {as_text.moment(row['paid_at'], frame.zone)}" if row["paid_at"] else ""
    facts = [
        ("Business", row["business_name"]),
        (
            "Customer",
            " ".join(str(one) for one in (row["customer_name"], row["coworker_id"]) if one) or as_text.NOTHING,
        ),
        ("Amount", as_text.money(row["total_amount"], row["currency_code"])),
        ("State", f"{state}{paid}"),
        ("Due", as_text.moment(row["due_at"], frame.zone)),
        ("Collected by", as_text.words(row["payment_route"])),
        ("As of", f"{as_text.moment(row['as_of_at'], frame.zone)} {frame.zone}"),
    ]
    if row["failed_attempt_count"]:
        failed = f"{row['failed_attempt_count']}, the last: {as_text.words(row['last_failure_reason'])}"
        facts.insert(4, ("Failed attempts", failed))
    if row["open_days"] is not None:
        chance = as_text.percent(row["recovery_probability"], 0)
        due = as_text.money(row["due_amount"], row["currency_code"])
        facts.insert(4, ("At risk", f"{due}, open for {row['open_days']} days; {chance} likely to be recovered"))
    return facts


def _one(frame: Frame, entry_id: int) -> None:
    found = frame.ask("entry", entry=entry_id)
    leads = [("Back to the list", frame.view.address("entries", entry=None))]
    if found and found[0]["invoice_id"] is not None:
        leads.append(("The invoice and its history", frame.view.address_of_invoice(found[0]["invoice_id"])))
    html(markup.links(*leads))
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
    if row["invoice_id"] is not None:
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
