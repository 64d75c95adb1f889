"""Data quality: what the figures are based on, in words: freshness, gaps, wording, checks, and the latest runs."""

import streamlit as st

from pipelines.model import wording_warnings
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.columns import BUSINESS, Column
from pipelines.show.page_frame import grid, html

FILTERS: tuple[str, ...] = ()
_MOST = 200
_COVERAGE = (
    BUSINESS,
    Column("Entries", "entry_count", "count"),
    Column("Not understood", "unexplained_entry_ratio", "percent", "Share of the entries that no rule explains"),
    Column("Of the paid", "unexplained_paid_invoice_ratio", "percent", "Share of the paid invoices without a success"),
    Column("No rate because", "no_rate_because", "words", "Above a tenth of any share the rates are left out"),
)
_UNRECOGNISED = (
    Column("Title", "name"),
    Column("Text", "description_pattern"),
    Column("Flagged", "is_problem", "flag", "Whether the API flags them as a problem"),
    Column("Entries", "entry_count", "count"),
    Column("Newest", "last_entry_at", "moment"),
    Column("Example", "entry", "link", "One of them"),
)
_GAPS = (
    Column("From", "from_at", "moment"),
    Column("To", "to_at", "moment"),
    Column("What", "entity"),
    Column("Time field", "axis"),
)
_RUNS = (
    Column("What", "entity"),
    Column("Ended", "ended_at", "moment"),
    Column("Read until", "read_until_at", "moment"),
    Column("Records", "row_count", "count"),
    Column("Requests", "request_count", "count"),
    Column("Run", "run_id"),
)
_CHECKS = (
    Column("Table", "table_name"),
    Column("Checks", "check_count", "count"),
    Column("What holds", "promises"),
)


def draw(frame: Frame) -> None:
    """The page."""
    about, zone = frame.snapshot.about, frame.zone
    st.subheader("Can these figures be relied on?")
    checks = frame.ask("health_checks")
    gaps = frame.ask("health_gaps", limit=_MOST)
    held = sum(row["check_count"] for row in checks)
    aside = about.rejected_record_count
    said = [
        (
            not as_text.is_stale(about.data_as_of_at, frame.now),
            f"The data ends {as_text.ago(about.data_as_of_at, frame.now)}.",
        ),
        (
            not gaps,
            f"{as_text.count(about.gap_count)} ranges have not been read yet; the next sync reads them."
            if gaps
            else "No gaps: the history in this range has been read completely.",
        ),
        (True, f"{held} checks held before this file was published; had one failed, the one before would be here."),
        (
            not aside,
            f"{as_text.count(aside)} records were set aside: they are not in the documented form."
            if aside
            else "No record was set aside.",
        ),
        *((False, wording_warnings.sentence(row)) for row in frame.ask("wording")),
    ]
    unrecognised = [
        row | {"entry": frame.view.address("entries", entry=row["example_entry_id"])}
        for row in frame.ask("unrecognised", limit=_MOST)
    ]
    if not unrecognised:
        said.append((True, "Every entry is explained by a rule."))
    html("".join(markup.notice(sentence, "good" if is_good else "warning") for is_good, sentence in said))
    grid("How far each business's words are understood", _COVERAGE, frame.ask("coverage"))
    if unrecognised:
        caption = "Entries that no rule explains, most frequent first (to teach one: nexudus-billing rules explain)"
        grid(caption, _UNRECOGNISED, unrecognised, zone=zone)
    if gaps:
        grid("Gaps, which the next sync will read", _GAPS, gaps, zone=zone)
    grid("Latest runs that read data", _RUNS, frame.ask("health_runs", limit=_MOST), zone=zone)
    grid("Checks passed before this file was published (one that fails stops publishing)", _CHECKS, checks)
    html(
        markup.definitions(
            [
                ("Data up to", f"{as_text.moment(about.data_as_of_at, zone)} {zone}"),
                (
                    "Covered without a gap",
                    f"{as_text.moment(about.covered_from_at, zone)} to {as_text.moment(about.covered_until_at, zone)}",
                ),
                ("Published", f"{as_text.moment(about.published_at, zone)}, release {about.release_number}"),
                ("Entries", as_text.count(about.entry_count)),
                ("Deleted in Nexudus", as_text.count(about.deleted_entry_count)),
                ("Personal data", "published" if about.has_personal_data else "not published"),
                ("Rules", about.rules_version or as_text.NOTHING),
                ("Program", about.program_version),
            ]
        )
    )
