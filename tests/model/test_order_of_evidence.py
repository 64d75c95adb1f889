"""What a row states decides its outcome, before all that its text mentions: tried on every combination of evidence."""

from itertools import product

import pytest

from pipelines.model.classifier import create_classifier
from pipelines.model.judging import judge
from pipelines.model.rules import SAYS, load_rules, store_rules

BOOK = load_rules()
FAILURES = [word.example for word in BOOK.words if word.list_name in {"failure", "reason"} and word.place == "text"]
SUCCESSES = [word.example for word in BOOK.words if word.list_name == "success" and word.place == "text"]


@pytest.fixture
def decided(warehouse):
    warehouse.execute("create schema if not exists model")
    store_rules(warehouse, BOOK)
    create_classifier(warehouse)
    every = list(product(*SAYS.values(), (True, False)))
    warehouse.execute("create table evidence (prefix_says text, name_says text, text_says text, is_problem bool)")
    warehouse.executemany("insert into evidence values (?, ?, ?, ?)", every)
    found = warehouse.execute("""
        select evidence.* exclude (priority), rules.kind, rules.is_understood
        from (select *, evidence_priority(prefix_says, name_says, text_says, is_problem) as priority from evidence)
            as evidence
        left join model.entry_rules as rules using (priority)
    """).fetchall()
    assert len(found) == len(every) == 1792
    return found


def test_every_combination_has_a_kind(decided):
    assert [each for each in decided if each[4] is None] == []


def test_what_states_success_is_never_a_failure_nor_the_reverse(decided):
    for prefix, name, *_, kind, _ in decided:
        if "success" in {prefix, name}:
            assert kind != "payment_failed"
        if "failure" in {prefix, name}:
            assert kind != "payment_succeeded"


def test_notes_reminders_mandates_and_payouts_are_no_attempt(decided):
    for _, name, *_, kind, _ in decided:
        if name in {"note", "reminder", "mandate", "settlement", "refund", "chargeback", "sent", "einvoice"}:
            assert kind not in {"payment_failed", "payment_succeeded"}


def test_what_awaits_is_in_flight_unless_it_says_otherwise(decided):
    for prefix, name, text, _, kind, is_understood in decided:
        if prefix == "pending" and name == "payment" and text in {"pending", "payment", "nothing"}:
            assert (kind, is_understood) == ("payment_pending", text == "pending")


def test_the_flag_alone_is_not_understanding(decided):
    for prefix, name, text, is_problem, kind, is_understood in decided:
        if (prefix, name, text, is_problem) == ("nothing", "payment", "nothing", True):
            assert (kind, is_understood) == ("payment_failed", False)


def test_no_wording_turns_a_stated_success_into_a_failure_or_a_stated_failure_into_a_success():
    stated = [("Payment Result", f"SUCCESS: {text}", flag) for text in FAILURES for flag in (True, False)]
    stated += [("Payment received", text, False) for text in FAILURES]
    found = judge(BOOK, stated)
    assert [text for text in stated if found[text].kind == "payment_failed"] == []
    stated = [("Payment Result", f"FAILED: {text}", flag) for text in SUCCESSES for flag in (True, False)]
    stated += [("Payment failed", text, True) for text in SUCCESSES]
    found = judge(BOOK, stated)
    assert [text for text in stated if found[text].kind == "payment_succeeded"] == []
