"""The workbench for rules: check, explain and try, as the person who teaches a wording meets them."""

import hashlib
import re
from pathlib import Path

import pytest
from command_line import run_here
from given import NO_FUNDS, START, entry, land, model

from pipelines.foundation.sql_files import sql_folder
from pipelines.land.warehouse import open_warehouse
from pipelines.model.rules import load_rules
from pipelines.model.text_evidence import text_evidence
from pipelines.settings import load_settings

CZECH = "Platba byla přijata."
LINE = "cs,text,platba ~ přijata,Platba byla přijata.\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of rules that is empty yet, and a data directory to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "words").mkdir(parents=True)
    return tmp_path / "mine"


def teach(folder, line=LINE):
    taught = folder / "words" / "success.csv"
    taught.write_text((sql_folder("rules") / "words" / "success.csv").read_text(encoding="utf-8") + line, "utf-8")
    return taught


def landed():
    with open_warehouse(load_settings()) as warehouse:
        texts = [NO_FUNDS if number % 3 == 0 else CZECH for number in range(30)]
        paid = [None if text == NO_FUNDS else START for text in texts]
        land(
            warehouse,
            *(entry(n, n, texts[n], is_problem=texts[n] == NO_FUNDS, paid_on=paid[n]) for n in range(30)),
            entry(99, 99, "Zulu 7", name="Door"),
        )


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("cs,text,platba ~ přijata\n", "3 cells where the header has 4"),
        ("cs,text,~ přijata,Platba byla přijata.\n", "phrase '~ přijata' cannot be used"),
        ("cs,txt,přijata,Platba byla přijata.\n", "unknown place 'txt'"),
        ("cs,text,platba ~ přijata,Platba byla vrácena.\n", "the example 'Platba byla vrácena.' should be"),
    ],
)
def test_a_broken_list_is_refused_with_file_line_and_reason(folder, line, wrong):
    taught = teach(folder, line)
    number = len(taught.read_text(encoding="utf-8").splitlines())
    told = run_here("rules", "check", str(folder))
    assert (told.code, told.out) == (2, "")
    assert f"words/success.csv:{number}: " in told.err
    assert wrong in told.err
    assert "The last good figures stay as they are." in told.err


@pytest.mark.parametrize("name", ["success.csv", "words/czech/success.csv", "wordlists/success.csv"])
def test_a_file_that_nothing_would_read_is_no_silent_success(folder, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"language,place,phrase,example\n{LINE}", "utf-8")
    told = run_here("rules", "try", str(folder))
    assert told.code == 2
    assert f"{folder / name}: is no file of rules" in told.err


def test_a_folder_that_is_missing_or_empty_is_said_to_be(folder):
    assert "there is no such folder" in run_here("rules", "check", str(folder / "none")).err
    assert "has no CSV file" in run_here("rules", "check", str(folder)).err


def test_trying_shows_what_would_change_and_changes_nothing(folder):
    landed()
    teach(folder)
    file = Path(load_settings().warehouse_path)
    before = hashlib.sha256(file.read_bytes()).digest()
    told = run_here("rules", "try", str(folder))
    assert (told.code, told.err) == (0, "")
    assert re.search(r"\d+ rules and [\d,]+ phrases are read, and each decides its example", told.out)
    assert "20 of 31 entries would change." in told.out
    words = " ".join(told.out.split())
    assert f"20 other, not understood payment_succeeded Payment Result: {CZECH}" in words
    assert "Business 7, GBP wording_not_understood 33.3% 10 of 10 → 10 of 30" in words
    assert "Still not understood: 1 entries, 1 wordings." in words
    assert "1 no Door: Zulu #" in words
    assert hashlib.sha256(file.read_bytes()).digest() == before


def test_no_text_commands_the_terminal_that_shows_it():
    told = run_here("rules", "explain", "FAILED: \x1b]0;x\x07 \u202e\x9b31m funds", "--name", "\x1b[2J", "--problem")

    assert "FAILED: \ufffd]0;x \ufffd\ufffd31m funds" in told.out
    assert not [each for each in told.out + told.err if not each.isprintable() and each != "\n"]


def test_a_text_is_explained_by_rule_reason_and_phrase():
    told = run_here("rules", "explain", "FAILED: Insufficient funds. (e-invoice INV-3)", "--problem").out
    assert "It is payment_failed, reason insufficient_funds." in told
    assert "It states: prefix failure, title payment, text reason." in told
    assert re.search(r"Decided by \d+ failed_by_prefix of evidence\.csv", told)
    assert re.search(r"Reason by \d+ insufficient_funds of reasons\.csv", told)
    assert re.search(r"insufficient_funds: insufficient funds \(codes/english\.csv:\d+\)", told)
    assert re.search(r"einvoice_prefixed_by_text .*: its text states reason, not einvoice", told)


def test_a_text_that_no_rule_explains_is_said_to_be_one_with_what_to_do():
    told = run_here("rules", "explain", CZECH, "--name", "Platba").out
    assert "It is other." in told
    assert "No rule explains these words." in told
    assert "rules try FOLDER" in told


def test_later_reasons_that_fit_too_are_listed():
    found = text_evidence(load_rules(), ("Payment Result", "FAILED: Card declined. Insufficient funds.", True))
    assert found.reason_by.rule_name == "insufficient_funds"
    assert "card_declined" in [rule.rule_name for rule in found.also_fit]


def test_explaining_and_the_model_agree(warehouse):
    text = ("Payment Result", "AWAITING: Object reference not set to an instance of an object.", False)
    land(warehouse, entry(1, 1, text[1]))
    model(warehouse, "entry_texts")
    found = text_evidence(load_rules(), text)
    kept = warehouse.execute("select kind, failure_reason, outcome_rule_priority from model.entry_texts").fetchall()
    assert kept == [(found.verdict.kind, found.verdict.failure_reason, found.decided_by.priority)]
