"""Health: what the figures are based on: coverage, gaps, runs, checks, and texts that no rule recognises."""

import streamlit as st

from pipelines.model import wording_warnings
from pipelines.publish.snapshot import Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import html

FILTERS: tuple[str, ...] = ()
_MOST = 20


def draw(frame: Frame) -> None:
    """The page."""
    about, zone = frame.snapshot.about, frame.zone
    st.subheader("What the figures are based on")
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
                ("Rejected records", f"{as_text.count(about.rejected_record_count)} (not in the documented form)"),
                ("Personal data", "published" if about.has_personal_data else "not published"),
                ("Rules", about.rules_version or as_text.NOTHING),
                ("Program", about.program_version),
            ]
        )
    )
    _gaps(frame)
    html(
        markup.table(
            "Latest runs that read data",
            (
                Column("What"),
                Column("Ended"),
                Column("Read until"),
                Column("Records", True),
                Column("Requests", True),
                Column("Run"),
            ),
            [_run(frame, row) for row in frame.ask("health_runs", limit=_MOST)],
            css="nb-wide",
        )
    )
    html(
        markup.table(
            "Checks passed before this file was published (one that fails stops publishing)",
            (Column("Table"), Column("Checks", True, "Hover for the list")),
            [
                [row["table_name"], Cell(as_text.count(row["check_count"]), hover=row["promises"])]
                for row in frame.ask("health_checks")
            ],
        )
    )
    for row in frame.ask("wording"):
        html(markup.notice(wording_warnings.sentence(row), "warning"))
    _unrecognised(frame)


def _gaps(frame: Frame) -> None:
    gaps = frame.ask("health_gaps", limit=_MOST)
    if not gaps:
        html(markup.notice("No gaps: the history in this range has been read completely.", "good"))
        return
    html(
        markup.table(
            "Gaps, which the next sync will read",
            (Column("From"), Column("To"), Column("What"), Column("Time field")),
            [
                [
                    as_text.moment(row["from_at"], frame.zone),
                    as_text.moment(row["to_at"], frame.zone),
                    row["entity"],
                    row["axis"],
                ]
                for row in gaps
            ],
        )
    )


def _run(frame: Frame, row: Row) -> list[Cell | str]:
    return [
        row["entity"],
        as_text.moment(row["ended_at"], frame.zone),
        as_text.moment(row["read_until_at"], frame.zone),
        as_text.count(row["row_count"]),
        as_text.count(row["request_count"]),
        row["run_id"] or "",
    ]


def _unrecognised(frame: Frame) -> None:
    rows = frame.ask("unrecognised", limit=_MOST)
    if not rows:
        html(markup.notice("Every entry is explained by a rule.", "good"))
        return
    html(
        markup.table(
            "Entries that no rule explains, most frequent first (to teach one: nexudus-billing rules explain)",
            (
                Column("Title"),
                Column("Text"),
                Column("Flagged"),
                Column("Entries", True),
                Column("Newest"),
                Column("Example"),
            ),
            [
                [
                    row["name"] or "",
                    Cell(row["description_pattern"] or "", tone="nb-text"),
                    "yes" if row["is_problem"] else "no",
                    as_text.count(row["entry_count"]),
                    as_text.moment(row["last_entry_at"], frame.zone),
                    Cell(
                        str(row["example_entry_id"]), link=frame.view.address("entries", entry=row["example_entry_id"])
                    ),
                ]
                for row in rows
            ],
            css="nb-wide",
        )
    )
