"""What given texts mean by given rules: the very SQL of `entry_texts`, on a table in memory that holds these texts."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from pipelines.model import building
from pipelines.model.rules import RuleBook, store_rules
from pipelines.model.sql_models import load_models

Text = tuple[str, str, bool]


@dataclass(frozen=True)
class Verdict:
    """What a text is, and by what. `reason_rule` is None where no phrase gave the reason of a failed payment."""

    kind: str
    failure_reason: str | None
    rule_name: str
    outcome_rule_name: str
    is_understood: bool
    prefix_says: str
    name_says: str
    text_says: str
    payment_method: str
    decline_type: str | None
    next_step: str | None


def judge(book: RuleBook, texts: Iterable[Text]) -> dict[Text, Verdict]:
    """Each text (title, description, problem flag) → its verdict."""
    with judged(book, texts) as connection:
        return verdicts(connection)


def verdicts(connection: duckdb.DuckDBPyConnection) -> dict[Text, Verdict]:
    """What `judged` has found out."""
    return {row[:3]: Verdict(*row[3:]) for row in connection.execute(_VERDICTS).fetchall()}


@contextmanager
def judged(book: RuleBook, texts: Iterable[Text], *, ours: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the rules and with `model.entry_texts` of these texts; `ours`: their references are known."""
    asked = sorted(set(texts))
    with duckdb.connect() as connection:
        building.prepare(connection)
        store_rules(connection, book)
        connection.execute(_LANDED, [[row[0] for row in asked], [row[1] for row in asked], [row[2] for row in asked]])
        connection.execute("create schema record; create table record.outbox (reference varchar)")
        if ours:
            connection.execute(_KNOWN)
        building.build(connection, next(model for model in load_models() if model.name == "entry_texts"))
        yield connection


_LANDED = """
create schema land;
create table land.coworker_invoice_histories as
select
    unnest(?::varchar[]) as name,
    unnest(?::varchar[]) as description,
    unnest(?::boolean[]) as is_problem,
    null::varchar as coworker_invoice_coworker_full_name,
    null::varchar as coworker_invoice_bill_to_name,
    null::varchar as updated_by
"""
_KNOWN = """
insert into record.outbox
select unnest(regexp_extract_all(description, '\\[ref ([0-9a-f]{12})\\]', 1)) as reference
from land.coworker_invoice_histories
"""
_VERDICTS = """
select
    texts.name, texts.description, texts.is_problem, texts.kind, texts.failure_reason, rules.rule_name,
    outcome_rules.rule_name, texts.is_understood, texts.prefix_says, texts.name_says, texts.text_says,
    texts.payment_method, rules.decline_type, rules.next_step
from model.entry_texts as texts
left join model.entry_rules as rules on texts.rule_priority = rules.priority
left join model.entry_rules as outcome_rules on texts.outcome_rule_priority = outcome_rules.priority
"""
