"""What to say of a business whose words are not understood, so that it has no rates."""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

_QUERY = """
select coverage.*, coalesce(names.business_name, 'Business ' || coverage.business_id) as business_name
from model.wording_coverage as coverage
left join land.business_names as names on coverage.business_id = names.business_id
where coverage.no_rate_because is not null
order by coverage.entry_count desc, coverage.business_id
"""
_TABLES = "select count(*) from duckdb_tables() where schema_name = 'model' and table_name = 'wording_coverage'"


def warnings(connection: duckdb.DuckDBPyConnection, *, personal_data: bool = False) -> Iterator[str]:
    """A sentence for each business of a warehouse that has no rates; none before the first models are built.

    Without personal data it has only those words of the wording that may be shown.
    """
    if connection.execute(_TABLES).fetchall() == [(0,)]:
        return
    answer = connection.execute(_QUERY)
    columns = [column[0] for column in answer.description or ()]
    for values in answer.fetchall():
        row = dict(zip(columns, values, strict=True))
        public = {"commonest_name": row["commonest_public_name"], "commonest_pattern": row["commonest_public_text"]}
        yield sentence(row if personal_data else row | public)


def sentence(row: Mapping[str, Any]) -> str:
    """Which business, which wording, how many, and what to do: of a row of `wording_coverage` with its name."""
    name, text = row["commonest_name"] or "", row["commonest_pattern"] or ""
    return (
        f"{row['business_name']} has no failure rates: {_largest(row)} in words that no rule explains, most often"
        f' "{name}: {text}" ({row["commonest_entry_count"]:,} times). To teach it, run'
        f" `nexudus-billing rules explain` with such a text, and see docs/rules.md."
    )


def _largest(row: Mapping[str, Any]) -> str:
    parts = {
        "entries": (row["unexplained_entry_ratio"], row["unexplained_entry_count"], row["entry_count"]),
        "flagged entries": (
            row["unexplained_flagged_entry_ratio"],
            row["unexplained_flagged_entry_count"],
            row["flagged_entry_count"],
        ),
        "paid invoices": (
            row["unexplained_paid_invoice_ratio"],
            row["unexplained_paid_invoice_count"],
            row["paid_invoice_count"],
        ),
    }
    what, (ratio, count, whole) = max(parts.items(), key=lambda part: part[1][0] or 0)
    return f"{count:,} of {whole:,} {what} ({ratio:.0%}) {'have their success' if what == 'paid invoices' else 'are'}"
