"""The rows that dashboard and report show, made of those of `sql/show`. Knows no Streamlit and computes no figure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pipelines.model import wording_warnings
from pipelines.publish.snapshot import Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.url_filters import NO_CURRENCY

Scope = tuple[int | None, str | None]
CALM = "Nothing unusual of late: no failure rate rose, no business fell silent."
_CHARTED = timedelta(days=750)
_MOST_INCIDENTS = 200
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
    (
        "Change",
        (
            "The rate minus that of the period before, in percentage points. ▲ and ▼ mark a significant change, one "
            "whose 95 % interval (Newcombe, 1998) does not include zero; without a mark it may be chance. Of all "
            "marked changes at most 5 % are expected to be chance (Benjamini and Hochberg, 1995)."
        ),
    ),
    ("Period before", "The whole period before; for the current period, the same part of it, to the hour."),
    ("Expected", "What goes the way of earlier failures, by reason and days open. It is no promise."),
)


def by_scope(rows: Iterable[Row], size: str | None = None) -> list[tuple[Scope, list[Row]]]:
    """The rows of each business and currency; the scope with the largest value of the column `size` first."""
    groups: dict[Scope, list[Row]] = {}
    for row in rows:
        groups.setdefault(_scope_of(row), []).append(row)
    found = list(groups.items())
    return found if size is None else sorted(found, key=lambda group: -max(row[size] for row in group[1]))


def _scope_of(row: Row) -> Scope:
    return row["business_id"], row["currency_code"]


def scope_name(frame: Frame, business_id: int | None, currency_code: str | None) -> str:
    """The currency, after the name of the business if it is of one."""
    currency = as_text.currency(currency_code)
    return currency if business_id is None else f"{frame.business(business_id)}, {currency}"


def charted(frame: Frame, query: str, most: int, **values: Any) -> list[tuple[Scope, list[Row], list[Row]]]:  # noqa: ANN401 - SQL values
    """Scopes with the rows of a query and the incidents of each: that of the first finding, then the busiest."""
    busiest = by_scope(frame.ask(query, **values), "first_attempt_count")
    found = [] if frame.view.businesses else frame.ask("findings", limit=1)
    if found and found[0]["business_id"] is not None and len(frame.choices.businesses) > 1:
        scope = _scope_of(found[0])
        only = replace(frame.view, businesses=(found[0]["business_id"],), currencies=(scope[1] or NO_CURRENCY,))
        busiest.insert(0, (scope, replace(frame, view=only).ask(query, **values)))
    until = frame.data_until_date
    incidents = [
        row
        for row in frame.ask("incidents", **{"from": until - _CHARTED, "until": until}, limit=_MOST_INCIDENTS)
        if row["incident_kind"] in {"rate_shift", "burst"}
    ]
    # One business's incident says nothing of the others, so the charts of all businesses have none.
    return [
        (scope, rows, [one for one in incidents if _scope_of(one) == scope]) for scope, rows in busiest[:most] if rows
    ]


def rate_rows(rows: Iterable[Row]) -> list[Row]:
    """Rates with their range and whether they changed by more than chance, as texts."""
    return [row | {"verdict": _verdict(row), "range": _range(row)} for row in rows]


def _verdict(row: Row) -> str:
    if not row["is_significant_change"]:
        return ""
    return "▲ worse" if row["first_attempt_failure_change_ratio"] > 0 else "▼ better"


def _range(row: Row) -> str:
    said = as_text.interval(row["first_attempt_failure_low_ratio"], row["first_attempt_failure_high_ratio"])
    return said.removeprefix("95 % interval ") + ("; small sample" if row["is_small_sample"] else "")


def scope_rows(frame: Frame) -> list[Row]:
    """The rates of the view, a row per currency or chosen business; of a month with what has recovered of it since."""
    cohorts: dict[Scope, Row] = {}
    if frame.view.period.kind == "month":
        name = "business_cohorts" if frame.view.businesses else "cohorts"
        cohorts = {
            _scope_of(row): row
            for row in frame.ask(name, until=frame.view.period.end_date)
            if row["month_start_date"] == frame.view.period.start_date
        }
    return [
        row
        | {
            "failed_of": f"{as_text.count(row['failed_first_attempt_count'])} of "
            f"{as_text.count(row['first_attempt_count'])}",
            "recovered_ratio": cohorts[_scope_of(row)]["recovery_ratio"] if _scope_of(row) in cohorts else None,
        }
        for row in rate_rows(frame.ask("scope_rates"))
    ]


def scope_filters(frame: Frame, row: Row) -> dict[str, tuple[Any, ...]]:
    """The filters that lead to what a row is about: its business, else those of the view, and its currency."""
    business = frame.view.businesses if row["business_id"] is None else (row["business_id"],)
    return {"businesses": business, "currencies": (row["currency_code"] or NO_CURRENCY,)}


def failed_entries(frame: Frame, row: Row, **more: object) -> str:
    """The address of the failed attempts that a row counts."""
    return frame.view.address("entries", **scope_filters(frame, row), kinds=("payment_failed",), counted=True, **more)


def incident_rows(incidents: Iterable[Row]) -> list[Row]:
    """Incidents with what happened in words."""
    return [row | {"what": _INCIDENT_WORDS[row["incident_kind"]]} for row in incidents]


def findings(frame: Frame, limit: int = 3, *, linked: bool = True) -> str:
    """What has no rates for want of words, and what went wrong lately; a calm sentence where nothing did."""
    unknown = "".join(markup.notice(wording_warnings.sentence(row), "warning") for row in frame.ask("wording"))
    found = frame.ask("findings", limit=limit)
    if not found and not unknown:
        return markup.notice(CALM, "good")
    return unknown + "".join(
        markup.notice(row["finding"], leads_to=_next(frame, row) if linked else ()) for row in found
    )


def _next(frame: Frame, row: Row) -> list[tuple[str, str]]:
    """Where a finding leads: the incident, and the invoices that can still be saved."""
    scope = scope_filters(frame, row)
    incident = ("See the incident", frame.view.address("trends", businesses=scope["businesses"]))
    saved = ("Invoices to collect", frame.view.address("worklist", **scope))
    return [incident, saved] if row["incident_kind"] in {"rate_shift", "burst"} else [incident]
