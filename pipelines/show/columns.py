"""What the tables of the dashboard and the report show: each column's heading, source, kind and meaning, once.

The dashboard hands them to Streamlit's grid, the report writes them as HTML. Knows neither.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.publish.snapshot import Row
from pipelines.show import readable_values as as_text

Kind = Literal[
    "text",
    "words",
    "count",
    "percent",
    "points",
    "money",
    "day",
    "month",
    "moment",
    "id",
    "mark",
    "flag",
    "link",
    "trend",
]
RECOVERY_DAYS = (1, 3, 7, 14, 28)
_TEXTS: dict[str, Callable[[Any], str]] = {
    "words": as_text.words,
    "count": as_text.count,
    "percent": as_text.percent,
    "points": as_text.points,
    "day": as_text.day,
    "month": as_text.month,
}


@dataclass(frozen=True)
class Column:
    """A column of a table: `source` names the column of the query, `meaning` is shown with the heading."""

    heading: str
    source: str
    kind: Kind = "text"
    meaning: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its values stand flush right."""
        return self.kind in {"count", "percent", "points", "money"}

    def text(self, row: Row) -> str:
        """A row's value for people."""
        value = row[self.source]
        if value is None:
            return as_text.NOTHING
        return as_text.money(value, row["currency_code"]) if self.kind == "money" else _TEXTS.get(self.kind, str)(value)


BUSINESS = Column("Business", "business_name")
CURRENCY = Column("Currency", "currency_code")
RATE = Column(
    "Failure rate",
    "first_attempt_failure_ratio",
    "percent",
    "Invoices whose first attempt failed / invoices attempted for the first time: retries do not change it",
)
CHANGE = Column(
    "Change", "first_attempt_failure_change_ratio", "points", "Against the period before, in percentage points"
)
CLEAR = Column(
    "Clear",
    "verdict",
    "mark",
    meaning="▲ worse or ▼ better by more than chance; without a mark it may be chance. Of all marks at most 5 % are "
    "expected to be chance (Benjamini and Hochberg, 1995)",
)
RANGE = Column(
    "95 % range",
    "range",
    meaning="The range that the true rate lies in with 95 % confidence, given the number of invoices (Wilson, 1927)",
)
FAILED_AMOUNT = Column(
    "Failed amount", "failed_first_attempt_amount", "money", "Amounts of the invoices whose first attempt failed"
)
RATES = (
    BUSINESS,
    CURRENCY,
    RATE,
    CHANGE,
    CLEAR,
    FAILED_AMOUNT,
    Column("Failed", "failed_first_attempt_count", "count", "Invoices whose first attempt failed"),
    Column("First attempts", "first_attempt_count", "count", "Invoices attempted for the first time"),
    RANGE,
    Column("By amount", "first_attempt_amount_failure_ratio", "percent", "The failure rate by the invoices' amounts"),
    Column("All attempts", "attempt_failure_ratio", "percent", "Failed attempts / attempts: every retry counts"),
    Column("In flight", "pending_count", "count", "Payments without an outcome yet, so not in the rate"),
)
SUMMARY = (
    CURRENCY,
    RATE,
    CHANGE,
    CLEAR,
    Column("Failed", "failed_of", meaning="Invoices whose first attempt failed, of those attempted"),
    FAILED_AMOUNT,
    Column("Recovered", "recovered_ratio", "percent", "Share of the failed invoices of the month that was paid later"),
)
OPEN = (
    CURRENCY,
    Column("Open invoices", "open_invoice_count", "count", "Invoices that failed and are not paid"),
    Column("At risk", "open_amount", "money", "What is due of them now"),
    Column("Expected", "expected_amount", "money", "How much of it should come in by the 90th day after the failure"),
    Column("Share", "expected_ratio", "percent", "Expected / at risk"),
    Column("At least", "expected_low_amount", "money", "Lower end of a range of about 95 %"),
    Column("At most", "expected_high_amount", "money", "Upper end of that range"),
)
INCIDENTS = (
    Column("Since", "started_on_date", "day"),
    Column("Until", "ended_on_date", "day", "A dash: it still lasts"),
    BUSINESS,
    CURRENCY,
    Column("What", "what"),
    Column("Usual", "usual_ratio", "percent", "The failure rate before"),
    Column("Observed", "observed_ratio", "percent", "The failure rate since"),
    Column("Failures", "observed_count", "count", "Failed attempts (of e-invoices); none of a silence"),
    Column("Of", "watched_count", "count", "Attempts (e-invoices; days of silence)"),
    Column("Mostly", "leading_failure_reason", "words", "The most frequent reason"),
    Column("Customers", "customer_count", "count"),
    Column("At risk", "open_amount", "money", "Amount of its failed invoices that is still open"),
    Column("Expected", "expected_amount", "money", "How much of that is likely to be recovered"),
)
REASONS = (
    Column("Reason", "failure_reason", "words"),
    BUSINESS,
    CURRENCY,
    Column("Failed", "failed_attempt_count", "count", "Failed attempts with this reason"),
    Column(
        "Share", "failed_attempt_share_ratio", "percent", "Share of all failed attempts of the business and currency"
    ),
    Column("Before", "previous_failed_attempt_count", "count", "Failed attempts in the period before"),
    Column("Failed amount", "failed_amount", "money"),
    Column(
        "Not flagged", "unflagged_failed_attempt_count", "count", "Failures that the API does not flag as a problem"
    ),
)
COHORTS = (
    Column("First failed in", "month_start_date", "month"),
    CURRENCY,
    Column("Failed", "failed_invoice_count", "count", "Invoices whose first failed attempt was in the month"),
    *(
        Column(
            f"{days} d",
            f"recovered_{days}_day_ratio",
            "percent",
            f"Share recovered within {days} days; younger "
            "invoices count as far as they are known. Empty: none of the month is that old yet",
        )
        for days in RECOVERY_DAYS
    ),
    Column("So far", "recovery_ratio", "percent", "Share recovered so far"),
    Column("Still open", "open_amount", "money", "What is due of the invoices that are not paid yet"),
)
