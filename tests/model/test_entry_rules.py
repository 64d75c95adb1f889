"""Every rule and phrase decides its own example; a broken file is refused by line and reason and changes nothing."""

import csv

import pytest
from given import EXPIRED, NO_FUNDS, RESULT, entry, land, model, row, rows

from pipelines.errors import WrongUseError
from pipelines.foundation.sql_files import sql_folder
from pipelines.model.building import build_all
from pipelines.model.examples import wrong_examples
from pipelines.model.judging import judge
from pipelines.model.rules import KINDS, REASONS, load_rules

BOOK = load_rules()
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


def write(folder, *lines, name="entry_rules.csv", header=tuple(GOOD)):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *(line.values() if isinstance(line, dict) else line for line in lines)])
    return path


def test_each_rule_and_each_phrase_decides_its_own_example():
    assert [str(wrong) for wrong in wrong_examples(BOOK)] == []


def test_every_kind_and_reason_has_a_rule():
    assert {rule.kind for rule in BOOK.rules} == set(KINDS)
    assert {rule.failure_reason for rule in BOOK.rules} - {None} == set(REASONS)


def test_every_reason_says_what_to_do_next():
    reasons = [rule for rule in BOOK.rules if rule.priority >= 2000]
    assert [rule.rule_name for rule in reasons if not rule.next_step] == []
    assert {rule.decline_type for rule in reasons} == {
        "try_again_later",
        "customer_must_act",
        "no_payment_method",
        "provider_fault",
    }


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
    (
        RESULT,
        "AWAITING: Object reference not set to an instance of an object.",
        False,
        "payment_failed",
        "provider_error",
    ),
    (RESULT, "FAILED: Your card has insufficient funds.", True, "payment_failed", "insufficient_funds"),
    (RESULT, "FAILED: Your card does not support this type of purchase.", True, "payment_failed", "card_declined"),
    (RESULT, "FAILED: mandate_cancelled", True, "payment_failed", "mandate_revoked"),
    (RESULT, "FAILED: Insufficient funds. (e-invoice INV-3)", True, "payment_failed", "insufficient_funds"),
    (RESULT, "FAILED: Le mandat de prélèvement a été révoqué.", True, "payment_failed", "mandate_revoked"),
    (RESULT, "FAILED: Rücklastschrift: Konto nicht gedeckt.", True, "payment_failed", "insufficient_funds"),
    (RESULT, "FAILED: Cartão recusado.", True, "payment_failed", "card_declined"),
    (RESULT, "SUCCESS: Collected; the card that had expired was replaced.", False, "payment_succeeded", None),
    (RESULT, "nothing known", True, "payment_failed", "unknown"),
    ("Payment received", "Payment of 12.00 GBP received by bank transfer.", False, "payment_succeeded", None),
    ("Payment received", "By transfer because the card was declined last week.", False, "payment_succeeded", None),
    ("Note", 'Customer: "my card was declined"', False, "other", None),
    ("Card expiring", "The customer's card has expired.", False, "other", None),
    ("Mandate cancelled", "The customer cancelled the mandate.", False, "other", None),
    ("E-invoice", "Chorus Pro: délai d'attente dépassé.", True, "einvoice_failed", None),
    ("E-invoice", "SUCCESS: Facture déposée sur Chorus Pro.", False, "einvoice_succeeded", None),
    ("Invoice sent", "Invoice 17 was sent to failed@example.com.", False, "invoice_sent", None),
    ("Follow-up", "Second failure. [ref 7be10f3a91c2]", True, "own_record", None),
    ("Follow-up", "Two. [ref 7be10f3a91c2] [ref 000000000000]", True, "own_record", None),
    ("Follow-up", "Typed by hand. [ref 000000000000]", True, "other_problem", None),
    (RESULT, "FAILED: Insufficient funds. [REF 000000000000]", True, "payment_failed", "insufficient_funds"),
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
    warehouse.execute("insert into record.outbox (reference) values ('7be10f3a91c2')")
    model(warehouse)
    found = rows(
        warehouse,
        "select name, description, is_problem, kind, failure_reason from model.history_entries order by entry_id",
    )
    assert [tuple(each.values()) for each in found] == [(*each[:2], bool(each[2]), *each[3:]) for each in WORDS]


def test_writing_makes_no_difference():
    told = [
        "insufficient_funds",
        "InsufficientFunds",
        "INSUFFICIENT  FUNDS!",
        "Code: insufficient-funds",
        "Zahlung: Konto nicht gedeckt",
    ]
    decomposed = "Provision insuffisante; carte refuse\u0301e"
    verdicts = judge(BOOK, [(RESULT, text, False) for text in [*told, decomposed]])
    assert {verdict.failure_reason for verdict in verdicts.values()} == {"insufficient_funds"}


def test_five_digits_are_a_code_only_where_a_code_stands():
    codes = [
        "FAILED: 10417 Transaction cannot be completed.",
        "FAILED: PayPal 10417",
        "Error code: 10417",
        "10417: Not completed",
        "FAILED: response_code=20005",
    ]
    numbers = [
        "FAILED: Invoice 10417",
        "FAILED: 10,417.00",
        "FAILED: Order INV-10417",
        "FAILED: Customer 10417, try 20005",
    ]
    verdicts = judge(BOOK, [(RESULT, text, True) for text in [*codes, *numbers]])
    assert {verdicts[RESULT, text, True].failure_reason for text in codes} == {"card_declined"}
    assert {verdicts[RESULT, text, True].failure_reason for text in numbers} == {"unknown"}


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
        load_rules(tmp_path)
    assert str(refused.value).startswith(f"{path}:{reason}")


WORD_HEADER = ("language", "place", "phrase", "example")


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("words/success.csv", ["en", "text", "~ paid", "It is paid."], "2: phrase '~ paid' cannot be used: `=` stands"),
        ("words/success.csv", ["en", "text", "paid?", "It is paid."], "2: phrase 'paid?' cannot be used: every word"),
        ("words/success.csv", ["en", "text", "a || b", "x"], "2: phrase 'a || b' cannot be used: '' is no word"),
        ("words/success.csv", ["en", "text", "paid", ""], "2: the phrase has no example"),
        ("words/success.csv", ["en", "body", "paid", "x"], "2: unknown place 'body'"),
        ("words/joy.csv", ["en", "text", "paid", "x"], "2: there is no list of this name"),
    ],
)
def test_a_broken_phrase_is_refused_by_file_line_and_reason(tmp_path, name, line, reason):
    path = write(tmp_path, line, name=name, header=WORD_HEADER)
    with pytest.raises(WrongUseError) as refused:
        load_rules(tmp_path)
    assert str(refused.value).startswith(f"{path}:{reason}")


def test_a_code_of_an_unknown_rule_is_refused(tmp_path):
    path = write(
        tmp_path, ["bad_luck", "xy17", "xy17"], name="codes/mine.csv", header=("rule_name", "phrase", "example")
    )
    with pytest.raises(WrongUseError) as refused:
        load_rules(tmp_path)
    assert str(refused.value).startswith(f"{path}:2: unknown rule_name 'bad_luck'")


def test_an_order_of_evidence_that_leaves_entries_without_a_kind_is_refused(tmp_path):
    shipped = (sql_folder("rules") / "evidence.csv").read_text(encoding="utf-8")
    (tmp_path / "evidence.csv").write_text("".join(shipped.splitlines(keepends=True)[:-1]), encoding="utf-8")
    with pytest.raises(WrongUseError, match="must fit every entry"):
        load_rules(tmp_path)


def test_a_doubled_priority_names_both_lines(tmp_path):
    write(tmp_path, GOOD, GOOD)
    with pytest.raises(WrongUseError, match="csv:3: priority 1 is taken by line 2"):
        load_rules(tmp_path)


@pytest.mark.parametrize("text", ["", "priority,kind\n1,other\n", '1,"never closed', "\xff"])
def test_what_is_no_rules_file_at_all_is_refused(tmp_path, text):
    path = tmp_path / "entry_rules.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(WrongUseError, match=str(path)):
        load_rules(tmp_path)


def test_a_broken_file_leaves_every_table_as_it_was(warehouse, tmp_path):
    land(warehouse, entry(1, 1, NO_FUNDS))
    model(warehouse)
    land(warehouse, entry(2, 2, NO_FUNDS))
    write(tmp_path, GOOD | {"kind": "no"})
    with pytest.raises(WrongUseError):
        build_all(warehouse, rules_folder=tmp_path)
    assert row(warehouse, "select count(*) as count from model.history_entries") == {"count": 1}
    assert row(warehouse, "select count(*) as count from model.entry_rules") == {"count": len(BOOK.rules)}


def test_a_pattern_of_the_analyst_decides_first_and_changes_the_version(warehouse, tmp_path):
    land(warehouse, entry(1, 1, EXPIRED + "\nIt bounced."))
    write(tmp_path, GOOD)
    build_all(warehouse, rules_folder=tmp_path)
    mine = row(warehouse, "select rule_name, kind, rules_version from model.history_entries")
    assert mine == {"rule_name": "mine", "kind": "payment_failed", "rules_version": load_rules(tmp_path).version}
    assert mine["rules_version"] != BOOK.version


def test_a_word_taught_is_understood(tmp_path):
    text = (RESULT, "Platba byla přijata.", False)
    assert judge(BOOK, [text])[text].is_understood is False
    lines = [["cs", "text", "platba ~ přijata", "Platba byla přijata."]]
    with (sql_folder("rules") / "words" / "success.csv").open(encoding="utf-8") as file:
        lines += list(csv.reader(file))[1:]
    write(tmp_path, *lines, name="words/success.csv", header=WORD_HEADER)
    taught = judge(load_rules(tmp_path), [text])[text]
    assert (taught.kind, taught.is_understood) == ("payment_succeeded", True)


def test_the_version_depends_on_what_decides_and_on_nothing_else(tmp_path):
    first, second = GOOD, GOOD | {"priority": "2", "rule_name": "other"}
    write(tmp_path, first, second)
    version = load_rules(tmp_path).version
    write(tmp_path, second, first | {"example_name": "changed"})
    assert load_rules(tmp_path).version == version
    write(tmp_path, first | {"priority": "3"}, second)
    assert load_rules(tmp_path).version != version


def test_the_lists_that_change_an_outcome_speak_every_language():
    spoken = {"en", "es", "fr", "de", "pt", "it", "nl", "ca", "pl", "sv", "da", "ja", "ar", "el", "tr"}
    for name in ("success", "failure", "pending", "not_yet", "by_hand"):
        with (sql_folder("rules") / "words" / f"{name}.csv").open(encoding="utf-8") as file:
            assert {line["language"] for line in csv.DictReader(file)} == spoken, name
