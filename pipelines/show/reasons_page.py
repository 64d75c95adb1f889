"""Reasons: why payment attempts failed, how often, how much, and against the period before."""

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import Frame, draw_chart, grid, html, nothing

FILTERS = ("period", "business", "currency")
_MOST_CHARTS = 6
COLUMNS = (
    Column("Reason"),
    Column("Scope"),
    Column("Currency"),
    Column("Failed", True, "Failed attempts with this reason"),
    Column("Share", True, "Of all failed attempts of the period, scope and currency"),
    Column("Before", True, "Failed attempts in the period before"),
    Column("Not flagged", True, "Those that the API does not flag as a problem"),
    Column("Failed amount", True),
)


def draw(frame: Frame) -> None:
    """The page."""
    rows = frame.ask("reasons")
    if not [row for row in rows if row["failed_attempt_count"]]:
        nothing("No attempt failed in this view", "Choose another period, or fewer businesses and currencies.")
        return
    st.subheader(f"Why payments failed, {frame.view.period.label}")
    html(
        markup.paragraph(
            f"Bars are this period, orange ticks the period before ({frame.view.period.previous_label})."
            if frame.view.period.has_previous
            else "The data does not cover the period before."
        )
    )
    groups: dict[tuple[int | None, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["business_id"], row["currency_code"]), []).append(row)
    groups = {
        scope: reasons for scope, reasons in groups.items() if any(one["failed_attempt_count"] for one in reasons)
    }
    largest = sorted(groups.items(), key=lambda group: -max(row["failed_attempt_count"] for row in group[1]))
    largest = largest[:_MOST_CHARTS]
    for place, ((business_id, currency), reasons) in zip(grid(len(largest), 2), largest, strict=False):
        title = f"{frame.business(business_id)}, {as_text.currency(currency)}"
        said = [f"{as_text.words(row['failure_reason'])} {row['failed_attempt_count']}" for row in reasons]
        with place:
            draw_chart(charts.reasons(reasons, title), charts.alternative(f"Failed attempts by reason, {title}", said))
    listed = [reason_row(frame, row) for row in rows]
    html(markup.table(f"Reasons, {frame.view.period.label}", COLUMNS, listed, css="nb-wide"))


def reason_row(frame: Frame, row: Row, *, linked: bool = True) -> list[Cell | str]:
    """A reason's line of the table, leading to its entries."""
    link = frame.view.address(
        "entries",
        businesses=frame.view.businesses if row["business_id"] is None else (row["business_id"],),
        currencies=(row["currency_code"] or "none",),
        kinds=("payment_failed",),
        reasons=(row["failure_reason"],),
        counted=True,
    )
    share = row["failed_attempt_share_ratio"]
    return [
        as_text.words(row["failure_reason"]),
        frame.business(row["business_id"]),
        as_text.currency(row["currency_code"]),
        Cell(as_text.count(row["failed_attempt_count"]), link=link if linked else ""),
        Cell(as_text.percent(share), bar_ratio=share),
        as_text.count(row["previous_failed_attempt_count"]),
        as_text.count(row["unflagged_failed_attempt_count"]),
        as_text.money(row["failed_amount"], row["currency_code"]),
    ]
