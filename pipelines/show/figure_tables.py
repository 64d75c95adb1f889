"""The cards and tables that the dashboard and the report share, made of the rows of `sql/show`. Knows no Streamlit."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pipelines.model import wording_warnings
from pipelines.publish.snapshot import Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.markup import Cell, Column
from pipelines.show.url_filters import NO_CURRENCY

Scope = tuple[int | None, str | None]
_CHARTED = timedelta(days=750)
_MOST_INCIDENTS = 200
RECOVERY_DAYS = (1, 3, 7, 14, 28)
_COUNTED = ("payment_failed", "payment_succeeded")
RATE_COLUMNS = (
    Column("Business"),
    Column("Currency"),
    Column("Failure rate", True, "Invoices whose first attempt failed / invoices attempted for the first time"),
    Column("Change", True, "Against the period before, in percentage points"),
    Column("By amount", True, "The failure rate by the amounts of the invoices"),
    Column("Failed amount", True, "Amounts of the invoices whose first attempt failed"),
    Column("All attempts", True, "Failed attempts / attempts: every retry counts"),
    Column("Failed", True, "Failed attempts"),
    Column("Attempts", True),
    Column("Pending", True, "Payments in flight: no outcome yet, so not in the rate"),
)
REASON_COLUMNS = (
    Column("Reason"),
    Column("Business"),
    Column("Currency"),
    Column("Failed", True, "Failed attempts with this reason"),
    Column("Share", True, "Share of all failed attempts of the period, business and currency"),
    Column("Before", True, "Failed attempts in the period before"),
    Column("Not flagged", True, "Failed attempts that the API does not flag as a problem"),
    Column("Failed amount", True),
)
COHORT_COLUMNS = (
    Column("First failed in"),
    Column("Failed", True, "Invoices whose first failed attempt was in the month"),
    *(
        Column(
            f"{days} d", True, f"Share recovered within {days} days; younger invoices count as far as they are known"
        )
        for days in RECOVERY_DAYS
    ),
    Column("So far", True, "Share recovered so far"),
    Column("Still open", True, "Amount of the invoices that are not paid yet"),
)
AGEING_COLUMNS = (
    Column("Business"),
    Column("Currency"),
    Column("Age in days"),
    Column("Invoices", True),
    Column("Open amount", True),
    Column("Oldest", True, "How long the oldest has been open"),
)
INCIDENT_COLUMNS = (
    Column("Since"),
    Column("Until"),
    Column("Business"),
    Column("Currency"),
    Column("What"),
    Column("Usual", True, "The failure rate before"),
    Column("Observed", True, "The failure rate of the incident so far; entries of a silence"),
    Column("Failed", True, "Failures of attempts (of e-invoices; of days of silence)"),
    Column("By chance", True, "How likely chance alone brings that many from the start to the detection"),
    Column("Mostly", False, "The most frequent reason and its share"),
    Column("Customers", True),
    Column("At risk", True, "Amount of its failed invoices that is still open"),
)
_INCIDENT_WORDS = {
    "rate_shift": "Failure rate rose",
    "burst": "Failures of one day",
    "silence": "No entries",
    "einvoice": "E-invoice errors rose",
}
DEFINITIONS = (
    ("Attempt", "An entry that reports a payment as succeeded or failed. Payments in flight are not attempts yet."),
    (
        "Failure rate",
        (
            "Invoices whose first attempt failed, divided by invoices attempted for the first time "
            "(first_attempt_failure_ratio). Retries do not change it."
        ),
    ),
    ("All attempts", "Failed attempts divided by attempts (attempt_failure_ratio). Every retry counts."),
    (
        "95 % interval",
        "The range that the true rate lies in with 95 % confidence, given the number of invoices (Wilson, 1927).",
    ),
    (
        "Change",
        (
            "The rate minus that of the period before, in percentage points. An arrow marks a significant change, one "
            "whose 95 % interval (Newcombe, 1998) does not include zero; without an arrow it may be chance. Of all "
            "changes with an arrow at most 5 % are expected to be chance (Benjamini and Hochberg, 1995)."
        ),
    ),
    ("Failed amount", "The amounts of the invoices whose first attempt failed."),
    ("Period before", "The whole period before; for the current period, the same part of it, to the hour."),
)


def by_scope(rows: Iterable[Row], size: str | None = None) -> list[tuple[Scope, list[Row]]]:
    """The rows of each business and currency; the scope with the largest value of the column `size` first."""
    groups: dict[Scope, list[Row]] = {}
    for row in rows:
        groups.setdefault((row["business_id"], row["currency_code"]), []).append(row)
    found = list(groups.items())
    return found if size is None else sorted(found, key=lambda group: -max(row[size] for row in group[1]))


def months(frame: Frame, until: date, most: int) -> list[tuple[Scope, list[Row], list[Row]]]:
    """Scopes with their rates by month and the incidents in them: that of the first finding, then the busiest."""
    busiest = by_scope(frame.ask("monthly_rates", until=until), "attempt_count")
    found = [] if frame.view.businesses else frame.ask("findings", limit=1)
    if found and found[0]["business_id"] is not None and len(frame.choices.businesses) > 1:
        scope = (found[0]["business_id"], found[0]["currency_code"])
        only = replace(frame.view, businesses=scope[:1], currencies=(scope[1] or NO_CURRENCY,))
        busiest.insert(0, (scope, replace(frame, view=only).ask("monthly_rates", until=until)))
    incidents = [
        row
        for row in frame.ask("incidents", **{"from": until - _CHARTED, "until": until}, limit=_MOST_INCIDENTS)
        if row["incident_kind"] in {"rate_shift", "burst"}
    ]
    # One business's incident says nothing of the others, so the charts of all businesses have none.
    return [
        (scope, rows, [one for one in incidents if (one["business_id"], one["currency_code"]) == scope])
        for scope, rows in busiest[:most]
        if rows
    ]


def rate_cards(frame: Frame, scopes: list[Row], *, linked: bool = True) -> str:
    """A card a currency, or a business and currency; of a month also what was recovered and what is at risk."""
    cohorts = {}
    if frame.view.period.kind == "month":
        name = "business_cohorts" if frame.view.businesses else "cohorts"
        cohorts = {
            (row["business_id"], row["currency_code"]): row
            for row in frame.ask(name, until=frame.view.period.end_date)
            if row["month_start_date"] == frame.view.period.start_date
        }
    return markup.cards(
        _rate_card(frame, row, cohorts.get((row["business_id"], row["currency_code"])), linked=linked) for row in scopes
    )


def _rate_card(frame: Frame, row: Row, cohort: Row | None, *, linked: bool) -> str:
    link = _entries(frame, row, ("payment_failed",)) if linked else ""
    currency = as_text.currency(row["currency_code"])
    heading = currency if row["business_id"] is None else f"{frame.business(row['business_id'])}, {currency}"
    within = _interval(row, "first_attempt_failure")
    lines = [
        Cell(
            f"{as_text.count(row['failed_first_attempt_count'])} of {as_text.count(row['first_attempt_count'])}"
            " first attempts"
        ),
        _change_line(frame, row),
        Cell(
            f"{as_text.money(row['failed_first_attempt_amount'], row['currency_code'])} failed, "
            f"{as_text.percent(row['first_attempt_amount_failure_ratio'])} of the amount",
            hover=_interval(row, "first_attempt_amount_failure"),
        ),
        Cell(
            f"{as_text.percent(row['attempt_failure_ratio'])} of all attempts: "
            f"{as_text.count(row['failed_attempt_count'])} of {as_text.count(row['attempt_count'])}",
            hover=_interval(row, "attempt_failure"),
            link=link,
        ),
    ]
    if cohort:
        lines.append(Cell(cohort_line(cohort), link=_worklist(frame, row) if linked else ""))
    if row["is_small_sample"]:
        lines.append(Cell("Small sample: use the interval", hover=within))
    return markup.card(heading, as_text.percent(row["first_attempt_failure_ratio"]), lines, hover=within)


def _interval(row: Row, rate: str) -> str:
    return as_text.interval(row[f"{rate}_low_ratio"], row[f"{rate}_high_ratio"])


def rate_row(frame: Frame, row: Row, *, linked: bool = True) -> list[Cell | str]:
    """A business's row of the table of rates."""
    within = _interval(row, "first_attempt_failure")
    if row["is_small_sample"]:
        within += "; small sample"
    failed, attempted = as_text.count(row["failed_attempt_count"]), as_text.count(row["attempt_count"])
    return [
        row["business_name"],
        as_text.currency(row["currency_code"]),
        Cell(as_text.percent(row["first_attempt_failure_ratio"]), hover=within),
        _change_cell(row),
        Cell(
            as_text.percent(row["first_attempt_amount_failure_ratio"]),
            hover=_interval(row, "first_attempt_amount_failure"),
        ),
        as_text.money(row["failed_first_attempt_amount"], row["currency_code"]),
        Cell(as_text.percent(row["attempt_failure_ratio"]), hover=_interval(row, "attempt_failure")),
        Cell(failed, link=_entries(frame, row, ("payment_failed",)) if linked else ""),
        Cell(attempted, link=_entries(frame, row, _COUNTED) if linked else ""),
        as_text.count(row["pending_count"]),
    ]


def _change_cell(row: Row) -> Cell:
    change = row["first_attempt_failure_change_ratio"]
    if change is None:
        return Cell(as_text.NOTHING, hover="There were no first attempts in the period before")
    return Cell(as_text.points(change), hover=_change_hover(row), tone=_tone(row))


def _change_line(frame: Frame, row: Row) -> Cell:
    if row["first_attempt_failure_change_ratio"] is None:
        return Cell("No first attempts in the period before to compare with")
    chance = "" if row["is_significant_change"] else ", may be chance"
    against = f"from {as_text.percent(row['previous_first_attempt_failure_ratio'])}, {frame.view.period.previous_label}"
    return Cell(
        f"{as_text.points(row['first_attempt_failure_change_ratio'])} {against}{chance}",
        hover=_change_hover(row),
        tone=_tone(row),
    )


def _change_hover(row: Row) -> str:
    low = as_text.points(row["first_attempt_failure_change_low_ratio"])
    high = as_text.points(row["first_attempt_failure_change_high_ratio"])
    verdict = "significant" if row["is_significant_change"] else "may be chance"
    among = f" ({row['compared_count']} changes compared)" if row["compared_count"] > 1 else ""
    return f"95 % interval {low} to {high}: {verdict}{among}"


def _tone(row: Row) -> str:
    if not row["is_significant_change"]:
        return ""
    return "nb-worse" if row["first_attempt_failure_change_ratio"] > 0 else "nb-better"


def _worklist(frame: Frame, row: Row) -> str:
    return frame.view.address("worklist", **_scope(frame, row))


def _scope(frame: Frame, row: Row) -> dict[str, tuple[Any, ...]]:
    """The filters that lead to what a row is about: its business, else those of the view, and its currency."""
    business = frame.view.businesses if row["business_id"] is None else (row["business_id"],)
    return {"businesses": business, "currencies": (row["currency_code"] or NO_CURRENCY,)}


def _entries(frame: Frame, row: Row, kinds: tuple[str, ...]) -> str:
    return frame.view.address("entries", **_scope(frame, row), kinds=kinds, counted=True)


def reason_row(frame: Frame, row: Row, *, linked: bool = True) -> list[Cell | str]:
    """A reason's row of the table, with a link to its entries."""
    link = frame.view.address(
        "entries",
        **_scope(frame, row),
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


def cohort_row(row: Row) -> list[Cell | str]:
    """A cohort's row of the heat map."""
    return [
        as_text.month(row["month_start_date"]),
        as_text.count(row["failed_invoice_count"]),
        *(_within(row, days) for days in RECOVERY_DAYS),
        Cell(
            as_text.percent(row["recovery_ratio"], 0),
            hover=f"{as_text.count(row['recovered_invoice_count'])} of {as_text.count(row['failed_invoice_count'])} "
            f"invoices; {as_text.percent(row['recovery_amount_ratio'], 0)} of the amount",
            shade_ratio=row["recovery_ratio"],
        ),
        as_text.money(row["open_amount"], row["currency_code"]),
    ]


def _within(row: Row, days: int) -> Cell:
    ratio = row[f"recovered_{days}_day_ratio"]
    if ratio is None:
        return Cell(as_text.NOTHING, hover="No invoice of the month is that old yet", tone="nb-open")
    return Cell(
        as_text.percent(ratio, 0),
        hover=f"{as_text.interval(row[f'recovered_{days}_day_low_ratio'], row[f'recovered_{days}_day_high_ratio'])}; "
        f"{as_text.percent(row[f'recovered_{days}_day_amount_ratio'], 0)} of the amount; "
        f"{as_text.count(row[f'observed_{days}_day_count'])} invoices are that old",
        shade_ratio=ratio,
    )


def ageing_row(frame: Frame, row: Row) -> list[Cell | str]:
    """An age band's row of the table of open amounts."""
    return [
        frame.business(row["business_id"]),
        as_text.currency(row["currency_code"]),
        row["ageing_band"],
        as_text.count(row["open_invoice_count"]),
        as_text.money(row["open_amount"], row["currency_code"]),
        f"{row['oldest_open_days']} days",
    ]


def incident_rows(incidents: list[Row]) -> list[list[Cell | str]]:
    """Rows of the table of incidents."""
    return [
        [
            as_text.day(row["started_on_date"]),
            "lasts" if row["is_open"] else as_text.day(row["ended_on_date"]),
            row["business_name"],
            as_text.currency(row["currency_code"]),
            _INCIDENT_WORDS[row["incident_kind"]],
            as_text.percent(row["usual_ratio"]),
            as_text.percent(row["observed_ratio"]),
            f"{as_text.count(row['observed_count'])} of {as_text.count(row['watched_count'])}",
            f"{row['chance_probability']:.1g}",
            ""
            if row["leading_failure_reason"] is None
            else f"{as_text.words(row['leading_failure_reason'])}, {row['leading_failure_reason_ratio']:.0%}",
            as_text.count(row["customer_count"]),
            as_text.money(row["open_amount"], row["currency_code"]),
        ]
        for row in incidents
    ]


def findings(frame: Frame, limit: int = 3, *, linked: bool = True) -> str:
    """What has no rates for want of words, and what went wrong lately; a calm sentence where nothing did."""
    unknown = "".join(markup.notice(wording_warnings.sentence(row), "warning") for row in frame.ask("wording"))
    found = frame.ask("findings", limit=limit)
    if not found and not unknown:
        return markup.notice("Nothing unusual of late: no failure rate rose, no business fell silent.", "good")
    return unknown + "".join(
        markup.notice(row["finding"], leads_to=_next(frame, row) if linked else ()) for row in found
    )


def _next(frame: Frame, row: Row) -> list[tuple[str, str]]:
    """Where a finding leads: the incident, and the invoices that can still be saved."""
    saved = [("Invoices to collect", _worklist(frame, row))] if row["incident_kind"] in {"rate_shift", "burst"} else []
    return [("See the incident", frame.view.address("trends", businesses=_scope(frame, row)["businesses"])), *saved]


def cohort_line(row: Row) -> str:
    """What became of the invoices that first failed in a month, in a sentence."""
    return (
        f"{as_text.percent(row['recovery_ratio'], 0)} of {as_text.count(row['failed_invoice_count'])} failed invoices "
        f"recovered so far; {as_text.money(row['open_amount'], row['currency_code'])} at risk"
    )
