"""Health: what the figures rest on: coverage, gaps, runs, checks, and texts that no rule knows."""

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import Frame, html

FILTERS: tuple[str, ...] = ()
_MOST = 20


def draw(frame: Frame) -> None:
    """The page."""
    about, zone = frame.snapshot.about, frame.zone
    st.subheader("What the figures rest on")
    html(
        markup.definitions(
            [
                ("Data up to", f"{as_text.moment(about.data_as_of_at, zone)} {zone}"),
                (
                    "Read without a gap",
                    f"{as_text.moment(about.covered_from_at, zone)} to {as_text.moment(about.covered_until_at, zone)}",
                ),
                ("Published", f"{as_text.moment(about.published_at, zone)}, release {about.release_number}"),
                ("Live entries", as_text.count(about.entry_count)),
                ("Gone from the API", as_text.count(about.deleted_entry_count)),
                ("Set aside", f"{as_text.count(about.rejected_record_count)} records broke the API's contract"),
                ("Personal data", "published" if about.has_personal_data else "masked"),
                ("Rules", about.rules_version or as_text.NOTHING),
                ("Program", about.program_version),
            ]
        )
    )
    _gaps(frame)
    html(
        markup.table(
            "Last runs that read something",
            (Column("Ended"), Column("Read until"), Column("Records", True), Column("Requests", True), Column("Run")),
            [_run(frame, row) for row in frame.ask("health_runs", limit=_MOST)],
            css="nb-wide",
        )
    )
    html(
        markup.table(
            "Checks that held when this file was published; where one breaks, no file is",
            (Column("Table"), Column("Checks", True, "Hover for what they promise")),
            [
                [row["table_name"], Cell(as_text.count(row["check_count"]), hover=row["promises"])]
                for row in frame.ask("health_checks")
            ],
        )
    )
    _unrecognised(frame)


def _gaps(frame: Frame) -> None:
    gaps = frame.ask("health_gaps", limit=_MOST)
    if not gaps:
        html(markup.notice("No gap: all of the history in this range is read.", "good"))
        return
    html(
        markup.table(
            "Gaps: the next sync reads them",
            (Column("From"), Column("To"), Column("Along")),
            [
                [as_text.moment(row["from_at"], frame.zone), as_text.moment(row["to_at"], frame.zone), row["axis"]]
                for row in gaps
            ],
        )
    )


def _run(frame: Frame, row: Row) -> list[Cell | str]:
    return [
        as_text.moment(row["ended_at"], frame.zone),
        as_text.moment(row["read_until_at"], frame.zone),
        as_text.count(row["row_count"]),
        as_text.count(row["request_count"]),
        row["run_id"] or "",
    ]


def _unrecognised(frame: Frame) -> None:
    rows = frame.ask("unrecognised", limit=_MOST)
    if not rows:
        html(markup.notice("Every problem entry is known to a rule.", "good"))
        return
    html(
        markup.table(
            "Problem entries that no rule knows, most frequent first",
            (Column("Title"), Column("Text"), Column("Entries", True), Column("Newest"), Column("Example")),
            [
                [
                    row["name"] or "",
                    Cell(row["description_pattern"] or "", tone="nb-text"),
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
