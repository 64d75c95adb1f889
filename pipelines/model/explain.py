"""The entries behind a rate: which ones are counted, on which side, and the rule that decided each."""

# ruff: noqa: S608 - only the schema's name is put into SQL; values are bound

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import duckdb

from pipelines.errors import WrongUseError

Part = Literal["failed", "succeeded", "pending", "left out"]


@dataclass(frozen=True)
class ExplainedEntry:
    """One entry: its part in the rate, and why. `failed` is numerator and denominator, `succeeded` denominator only."""

    part: Part
    entry_id: int
    invoice_id: int | None
    created_at: datetime
    name: str | None
    description: str | None
    kind: str
    failure_reason: str | None
    rule_priority: int | None
    rule_name: str | None
    invoice_amount: Decimal | None
    excluded_because: str | None


@dataclass(frozen=True)
class Explanation:
    """A month's attempt failure ratio of a business and currency, with every entry that it rests on."""

    business_id: int
    currency_code: str | None
    month_start_date: date
    failed_attempt_count: int
    attempt_count: int
    attempt_failure_ratio: float | None
    pending_count: int
    excluded_attempt_count: int
    rules_version: str
    entries: tuple[ExplainedEntry, ...]


def parse_month(text: str) -> date:
    """First day of a month written YYYY-MM. Raises WrongUseError."""
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a calendar month has no zone
    except ValueError:
        raise WrongUseError(f"{text!r} is not a month; write it as YYYY-MM, for example 2025-03.") from None


def find_business(connection: duckdb.DuckDBPyConnection, text: str) -> int:
    """Id of the business of the published file that has this id, this name, or a name with this in it, in any case.

    Raises WrongUseError where no name fits, or more than one does.
    """
    if text.isascii() and text.isdigit():
        return int(text)
    businesses = connection.execute(
        "select business_id, business_name from businesses order by business_name"
    ).fetchall()
    fitting = [(number, name) for number, name in businesses if text.casefold() in (name or "").casefold()]
    exact = [(number, name) for number, name in fitting if name.casefold() == text.casefold()]
    found = exact or fitting
    if len(found) == 1:
        return int(found[0][0])
    listed = ", ".join(f"{name} ({number})" for number, name in found or businesses)
    said = f"{len(found)} businesses have" if found else "No business has"
    raise WrongUseError(f"{said} {text!r} in their name: give more of it, or the id, of one of {listed}.")


def explain(
    connection: duckdb.DuckDBPyConnection,
    business_id: int,
    currency_code: str | None,
    month_start_date: date,
    schema: str = "main",
) -> Explanation:
    """The entries and rules behind a monthly rate, by time. `schema` is `main` in the published file, else `model`.

    Deleted entries are in `excluded_attempt_count`, not in `entries`. Raises WrongUseError where there is no rate.
    """
    key = (business_id, currency_code, month_start_date)
    rates = connection.execute(
        "select failed_attempt_count, attempt_count, attempt_failure_ratio, pending_count, excluded_attempt_count,"
        f" rules_version from {schema}.monthly_payment_failure_rates"
        " where business_id = ? and currency_code is not distinct from ? and month_start_date = ?",
        list(key),
    ).fetchall()
    if not rates:
        raise WrongUseError(_nothing_there(connection, business_id, currency_code, month_start_date, schema))
    entries = connection.execute(_ENTRIES.format(schema=schema), list(key)).fetchall()
    explained = tuple(ExplainedEntry(*row) for row in entries)
    failed, attempts, ratio, pending, excluded, version = rates[0]
    return Explanation(*key, failed, attempts, ratio, pending, excluded, version, explained)


_ENTRIES = """
select
    case
        when entries.excluded_because is not null or repeated.entry_id is not null then 'left out'
        when entries.kind = 'payment_failed' then 'failed'
        when entries.kind = 'payment_succeeded' then 'succeeded'
        else 'pending'
    end as part,
    entries.entry_id, entries.invoice_id, entries.created_at, entries.name,
    coalesce(entries.description, entries.description_pattern), entries.kind, entries.failure_reason,
    entries.rule_priority, entries.rule_name, invoices.total_amount,
    if(repeated.entry_id is null, entries.excluded_because, 'reported_twice')
from {schema}.history_entries as entries
left join {schema}.invoices as invoices on entries.invoice_id = invoices.invoice_id
left join {schema}.repeated_reports as repeated on entries.entry_id = repeated.entry_id
where
    entries.business_id = ? and entries.currency_code is not distinct from ? and entries.month_start_date = ?
    and entries.kind in ('payment_failed', 'payment_succeeded', 'payment_pending')
order by entries.created_at, entries.entry_id
"""


def _nothing_there(
    connection: duckdb.DuckDBPyConnection, business_id: int, currency_code: str | None, month: date, schema: str
) -> str:
    known = connection.execute(
        "select currency_code, min(month_start_date), max(month_start_date)"
        f" from {schema}.monthly_payment_failure_rates where business_id = ? group by all order by all",
        [business_id],
    ).fetchall()
    asked = f"Business {business_id} has no payment entries in {currency_code or 'no currency'} in {month:%Y-%m}"
    if not known:
        return f"{asked}, nor in any other month; see the business_id column of monthly_payment_failure_rates."
    there = "; ".join(
        f"{currency or 'no currency'} from {first:%Y-%m} to {last:%Y-%m}" for currency, first, last in known
    )
    return f"{asked}; there are some in {there}."
