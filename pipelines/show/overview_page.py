"""Overview: the failure rate by currency and by business, against the period before, and the amounts behind it."""

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import Frame, draw_chart, grid, html, nothing

FILTERS = ("period", "business", "currency")
_MOST_CARDS = 12
_MOST_CHARTS = 9
_COUNTED = ("payment_failed", "payment_succeeded")
COLUMNS = (
    Column("Business"),
    Column("Currency"),
    Column("Failure rate", True, "Failed attempts / attempts"),
    Column("Change", True, "Against the period before, in percentage points"),
    Column("Failed", True),
    Column("Attempts", True),
    Column("Pending", True, "Payments in flight: no outcome yet, in no rate"),
    Column("Failed amount", True),
    Column("Of the amount", True, "Failed amount / attempted amount"),
)


def draw(frame: Frame) -> None:
    """The page."""
    scopes = frame.ask("scope_rates")
    if not scopes:
        nothing("No payment was attempted in this view", "Choose another period, or fewer businesses and currencies.")
        return
    period = frame.view.period
    st.subheader(f"Payment failures, {period.label}")
    html(markup.cards(rate_card(frame, row) for row in scopes[:_MOST_CARDS]))
    html(markup.paragraph(_maturity(scopes)))
    html(
        markup.table(
            f"By business and currency, {period.label}, highest rate first",
            COLUMNS,
            [rate_row(frame, row) for row in frame.ask("business_rates")],
            css="nb-wide",
        )
    )
    _by_month(frame)
    with st.expander("What these figures mean"):
        html(markup.definitions(DEFINITIONS))


def rate_card(frame: Frame, row: Row, *, linked: bool = True) -> str:
    """A scope's rate with its interval, change and amounts."""
    link = _entries(frame, row, ("payment_failed",)) if linked else ""
    currency = as_text.currency(row["currency_code"])
    heading = currency if row["business_id"] is None else f"{frame.business(row['business_id'])}, {currency}"
    within = as_text.interval(row["attempt_failure_low_ratio"], row["attempt_failure_high_ratio"])
    lines = [
        Cell(
            f"{as_text.count(row['failed_attempt_count'])} of {as_text.count(row['attempt_count'])} attempts", link=link
        ),
        _change_line(frame, row),
        Cell(f"{as_text.money(row['failed_amount'], row['currency_code'])} failed"),
        Cell(f"of {as_text.money(row['attempted_amount'], row['currency_code'])} attempted"),
    ]
    if row["is_small_sample"]:
        lines.append(Cell("Under 20 attempts: read the interval", hover=within))
    return markup.card(heading, as_text.percent(row["attempt_failure_ratio"]), lines, hover=within)


def rate_row(frame: Frame, row: Row, *, linked: bool = True) -> list[Cell | str]:
    """A business's line of the table."""
    within = as_text.interval(row["attempt_failure_low_ratio"], row["attempt_failure_high_ratio"])
    if row["is_small_sample"]:
        within += "; under 20 attempts"
    failed, attempted = as_text.count(row["failed_attempt_count"]), as_text.count(row["attempt_count"])
    return [
        row["business_name"],
        as_text.currency(row["currency_code"]),
        Cell(as_text.percent(row["attempt_failure_ratio"]), hover=within),
        _change_cell(row),
        Cell(failed, link=_entries(frame, row, ("payment_failed",)) if linked else ""),
        Cell(attempted, link=_entries(frame, row, _COUNTED) if linked else ""),
        as_text.count(row["pending_count"]),
        as_text.money(row["failed_amount"], row["currency_code"]),
        as_text.percent(row["amount_failure_ratio"]),
    ]


def _change_cell(row: Row) -> Cell:
    change = row["attempt_failure_change_ratio"]
    if change is None:
        return Cell(as_text.NOTHING, hover="The period before has no attempts in the data")
    return Cell(as_text.points(change), hover=_change_hover(row), tone=_tone(row))


def _change_line(frame: Frame, row: Row) -> Cell:
    if row["attempt_failure_change_ratio"] is None:
        return Cell("Nothing to compare with in the period before")
    chance = "" if row["is_significant_change"] else ", may be chance"
    against = f"from {as_text.percent(row['previous_attempt_failure_ratio'])}, {frame.view.period.previous_label}"
    return Cell(
        f"{as_text.points(row['attempt_failure_change_ratio'])} {against}{chance}",
        hover=_change_hover(row),
        tone=_tone(row),
    )


def _change_hover(row: Row) -> str:
    low = as_text.points(row["attempt_failure_change_low_ratio"])
    high = as_text.points(row["attempt_failure_change_high_ratio"])
    verdict = "more than chance" if row["is_significant_change"] else "may be chance"
    return f"95 % interval {low} to {high}: {verdict}"


def _tone(row: Row) -> str:
    if not row["is_significant_change"]:
        return ""
    return "nb-worse" if row["attempt_failure_change_ratio"] > 0 else "nb-better"


def _entries(frame: Frame, row: Row, kinds: tuple[str, ...]) -> str:
    business = frame.view.businesses if row["business_id"] is None else (row["business_id"],)
    currencies = (row["currency_code"] or "none",)
    return frame.view.address("entries", businesses=business, currencies=currencies, kinds=kinds, counted=True)


def _maturity(scopes: list[Row]) -> str:
    due = [row for row in scopes if not row["is_mature"]]
    if not due:
        return "All outcomes of this period are in."
    until = {as_text.day(row["mature_until_date"]) for row in due}
    named = ", ".join(dict.fromkeys(as_text.currency(row["currency_code"]) for row in due))
    days = until.pop() if len(until) == 1 else "the day given by each currency's mature_until_date"
    return f"Payments are still in flight ({named}): outcomes are in up to {days}, later days may get worse."


def _by_month(frame: Frame) -> None:
    rows = frame.ask("monthly_rates", until=frame.view.period.end_date)
    groups: dict[tuple[int | None, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["business_id"], row["currency_code"]), []).append(row)
    busiest = sorted(groups.items(), key=lambda group: -max(row["attempt_count"] for row in group[1]))
    st.subheader("By month")
    html(
        markup.paragraph(
            "The line is the rate, the band its 95 % interval; a hollow point is a month whose outcomes are still due. "
            "All charts have one scale; what lies above it is cut off."
        )
    )
    rates = [
        row["attempt_failure_ratio"] for row in rows if row["attempt_failure_ratio"] and not row["is_small_sample"]
    ]
    highest = min(1.0, 1.4 * max(rates, default=1.0))
    busiest = busiest[:_MOST_CHARTS]
    for place, ((business_id, currency), months) in zip(grid(len(busiest), 3), busiest, strict=False):
        name = as_text.currency(currency)
        title = name if business_id is None else f"{frame.business(business_id)}, {name}"
        said = [
            f"{as_text.month(row['period_start_date'])} {as_text.percent(row['attempt_failure_ratio'])}"
            for row in months[-13:]
        ]
        with place:
            draw_chart(
                charts.rate_by_month(months, title, highest),
                charts.alternative(f"Failure rate by month, {title}", said),
            )


DEFINITIONS = (
    ("Attempt", "An entry that reports a payment as succeeded or failed. Payments in flight are no attempt yet."),
    ("Failure rate", "Failed attempts divided by attempts (attempt_failure_ratio)."),
    ("95 % interval", "Where the rate lies for all one can know from so many attempts (Wilson, 1927)."),
    (
        "Change",
        (
            "The rate less that of the period before, in percentage points. It is marked where its 95 % interval "
            "(Newcombe, 1998) does not hold zero; else it may be chance."
        ),
    ),
    ("Failed amount", "The invoice amounts of the failed attempts; an invoice that failed twice counts twice."),
    ("Period before", "The whole period before; for a period that still runs, as many of its days."),
)
