"""Every rule decides its own example; a broken file is refused by file, line and reason and changes nothing."""

import csv
import random

import pytest
from given import EXPIRED, NO_FUNDS, RESULT, entry, land, model, row, rows

from pipelines.errors import WrongUseError
from pipelines.foundation.sql_files import sql_folder
from pipelines.model.building import build_all
from pipelines.model.rules import HEADER, KINDS, REASONS, load_rules, rules_version

RULES = load_rules()
GOOD = {
    "priority": "1",
    "rule_name": "mine",
    "name_pattern": "",
    "description_pattern": "bounced",
    "is_problem": "",
    "kind": "payment_failed",
    "failure_reason": "unknown",
    "example_name": RESULT,
    "example_description": "The direct debit bounced.",
}


def write(folder, *lines, header=HEADER):
    path = folder / "entry_rules.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *(line.values() if isinstance(line, dict) else line for line in lines)])
    return path


def test_each_rule_decides_its_own_example(warehouse):
    def example(number, rule):
        return entry(number, number, rule.example_description, name=rule.example_name, is_problem=bool(rule.is_problem))

    land(warehouse, *(example(rule.priority, rule) for rule in RULES))
    model(warehouse)
    decided = rows(
        warehouse, "select entry_id, rule_priority, kind, failure_reason from model.history_entries order by 1"
    )
    assert [tuple(each.values()) for each in decided] == [
        (rule.priority, rule.priority, rule.kind, rule.failure_reason) for rule in RULES
    ]


def test_every_kind_and_reason_has_a_rule_except_the_fallback():
    assert {rule.kind for rule in RULES} == set(KINDS)
    assert {rule.failure_reason for rule in RULES} - {None} == set(REASONS)


WORDS = [
    (RESULT, "AWAITING: GoCardless payment submitted to the banks.", False, "payment_pending", None),
    (RESULT, "AWAITING: GoCardless requested funds from customer.", False, "payment_pending", None),
    (RESULT, "AWAITING: The payment is currently processing.", False, "payment_pending", None),
    (RESULT, "AWAITING: GoCardless requested regular payment subscription.", False, "mandate_requested", None),
    (RESULT, "AWAITING: GoCardless requested regular payment subscription.", True, "mandate_requested", None),
    (
        RESULT,
        "AWAITING: Your account currently does not support payment amounts greater than 5,000.00 for this type.",
        False,
        "payment_failed",
        "over_limit",
    ),
    (RESULT, "FAILED: Your card has insufficient funds.", True, "payment_failed", "insufficient_funds"),
    (RESULT, "FAILED: Your card does not support this type of purchase.", True, "payment_failed", "unknown"),
    (RESULT, "FAILED: Le mandat de prélèvement a été révoqué.", True, "payment_failed", "mandate_revoked"),
    (RESULT, "FAILED: Rücklastschrift: Konto nicht gedeckt.", True, "payment_failed", "insufficient_funds"),
    (RESULT, "FAILED: Cartão recusado.", True, "payment_failed", "card_declined"),
    (RESULT, "nothing known", True, "payment_failed", "unknown"),
    ("Payment received", "Payment of 12.00 GBP received by bank transfer.", False, "payment_succeeded", None),
    ("E-invoice", "Chorus Pro: délai d'attente dépassé.", True, "einvoice_failed", None),
    ("E-invoice", "SUCCESS: Facture déposée sur Chorus Pro.", False, "einvoice_succeeded", None),
    ("Invoice sent", "Invoice 17 was sent to failed@example.com.", False, "invoice_sent", None),
    ("Follow-up", "Second failure. [ref 7be10f3a91c2]", True, "own_record", None),
    ("Refund", "Refund of 12.00 GBP.", False, "refund", None),
    ("Something", "new", True, "other_problem", None),
    ("Something", "new", False, "other", None),
    (None, None, None, "other", None),
]


def test_words_of_live_tenants(warehouse):
    land(
        warehouse,
        *(entry(number, number, each[1], name=each[0], is_problem=each[2]) for number, each in enumerate(WORDS)),
    )
    model(warehouse)
    found = rows(
        warehouse,
        "select name, description, is_problem, kind, failure_reason from model.history_entries order by entry_id",
    )
    assert [tuple(each.values()) for each in found] == [(*each[:2], bool(each[2]), *each[3:]) for each in WORDS]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD | {"description_pattern": "("}, "2: description_pattern '(' is no RE2 pattern"),
        (GOOD | {"name_pattern": "(?=x)"}, "2: name_pattern '(?=x)' is no RE2 pattern"),
        (GOOD | {"kind": "payment_lost"}, "2: unknown kind 'payment_lost'"),
        (GOOD | {"failure_reason": "bad_luck"}, "2: unknown failure_reason 'bad_luck'"),
        (GOOD | {"kind": "refund"}, "2: only payment_failed has a failure_reason"),
        (GOOD | {"priority": "first"}, "2: priority 'first' is not a whole number"),
        (GOOD | {"is_problem": "maybe"}, "2: is_problem 'maybe' is neither"),
        (GOOD | {"description_pattern": ""}, "2: the rule fits every entry"),
        (GOOD | {"rule_name": ""}, "2: the rule has no name"),
        (["1", "mine"], "2: 2 cells where the header has 9"),
    ],
)
def test_a_broken_line_is_refused_by_file_line_and_reason(tmp_path, line, reason):
    path = write(tmp_path, line)
    with pytest.raises(WrongUseError) as refused:
        load_rules(path)
    assert str(refused.value).startswith(f"{path}:{reason}")


def test_a_doubled_priority_names_both_lines(tmp_path):
    with pytest.raises(WrongUseError, match="csv:3: priority 1 is taken by line 2"):
        load_rules(write(tmp_path, GOOD, GOOD))


@pytest.mark.parametrize("text", ["", "priority,kind\n1,other\n", '1,"never closed', "\xff"])
def test_what_is_no_rules_file_at_all_is_refused(tmp_path, text):
    path = tmp_path / "entry_rules.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(WrongUseError, match=str(path)):
        load_rules(path)


def test_a_broken_file_leaves_every_table_as_it_was(warehouse, tmp_path):
    land(warehouse, entry(1, 1, NO_FUNDS))
    model(warehouse)
    land(warehouse, entry(2, 2, NO_FUNDS))
    with pytest.raises(WrongUseError):
        build_all(warehouse, rules_path=write(tmp_path, GOOD | {"kind": "no"}))
    assert row(warehouse, "select count(*) as count from model.history_entries") == {"count": 1}
    assert row(warehouse, "select count(*) as count from model.entry_rules") == {"count": len(RULES)}


def test_a_rule_of_the_analyst_wins_by_its_priority_and_changes_the_version(warehouse, tmp_path):
    land(warehouse, entry(1, 1, EXPIRED + "\nIt bounced."))
    build_all(warehouse, rules_path=write(tmp_path, GOOD))
    mine = row(warehouse, "select rule_name, kind, rules_version from model.history_entries")
    assert mine == {
        "rule_name": "mine",
        "kind": "payment_failed",
        "rules_version": rules_version(load_rules(tmp_path / "entry_rules.csv")),
    }
    assert mine["rules_version"] != rules_version(RULES)


def test_the_version_depends_on_what_decides_and_on_nothing_else(tmp_path):
    first, second = GOOD, GOOD | {"priority": "2", "rule_name": "other"}
    version = rules_version(load_rules(write(tmp_path, first, second)))
    assert rules_version(load_rules(write(tmp_path, second, first | {"example_name": "changed"}))) == version
    assert rules_version(load_rules(write(tmp_path, first | {"priority": "3"}, second))) != version


def test_the_file_in_the_repository_has_no_line_without_an_example():
    with (sql_folder("rules") / "entry_rules.csv").open(encoding="utf-8", newline="") as file:
        assert [
            line["rule_name"]
            for line in csv.DictReader(file)
            if not (line["example_name"] and line["example_description"])
        ] == []


def test_gating_rules_in_tens_decides_as_trying_each_rule_would(warehouse):
    dice = random.Random(3)
    texts = [rule.example_description for rule in RULES]
    names = [*{rule.example_name for rule in RULES}, None]
    mixed = [f"{dice.choice(texts)[: dice.randrange(60)]} {dice.choice(texts)}" for _ in range(120)]
    land(
        warehouse,
        *(
            entry(at, at, text, name=dice.choice(names), is_problem=dice.random() < 0.5)
            for at, text in enumerate(mixed)
        ),
    )
    model(warehouse)
    one_by_one = """
        select entries.entry_id, min(rules.priority)
        from model.history_entries as entries
        left join model.entry_rules as rules
            on regexp_matches(coalesce(entries.name, ''), rules.name_pattern, 'is')
            and regexp_matches(entries.description, rules.description_pattern, 'is')
            and coalesce(rules.is_problem = entries.is_problem, true)
        group by all order by all
    """
    gated = warehouse.execute("select entry_id, rule_priority from model.history_entries order by all").fetchall()
    assert gated == warehouse.execute(one_by_one).fetchall()
