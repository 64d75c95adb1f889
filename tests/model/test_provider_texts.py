"""Texts as providers send them, in every spelling.

`GATEWAY_TEXTS` names a CSV file of real ones (columns `source`, `text`, `kind`, `failure_reason`), or it lies in a
folder `shared/api` beside the checkout; elsewhere that test is skipped.
"""

import csv
import os
from pathlib import Path

import pytest

from pipelines.model.judging import judge
from pipelines.model.rules import load_rules

BOOK = load_rules()
HERE = Path(__file__)
BESIDE = [folder / "shared" / "api" / "gateway-texts.csv" for folder in HERE.parents]
REAL = next((path for path in [Path(os.environ.get("GATEWAY_TEXTS", "")), *BESIDE] if path.is_file()), None)
PREFIXES = {
    "payment_failed": ("", "FAILED: ", "AWAITING: "),
    "payment_succeeded": ("", "SUCCESS: ", "PAID: ", "AWAITING: "),
}


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(REAL is None, reason="no file of gateway texts here")
def test_real_texts_in_every_spelling_flagged_and_not():
    expected = {
        ("Payment Result", f"{prefix}{row['text']}", flag): (row["kind"], row["failure_reason"] or None)
        for row in read(REAL)
        for prefix in PREFIXES.get(row["kind"], ("", "AWAITING: "))
        for flag in (True, False)
    }
    found = {text: (verdict.kind, verdict.failure_reason) for text, verdict in judge(BOOK, expected).items()}
    assert {text: verdict for text, verdict in found.items() if verdict != expected[text]} == {}


def test_texts_that_no_rule_was_written_for():
    """The rules were written first. An error that is found here is fixed in general, not for its sentence."""
    rows = read(HERE.parent / "held_out_texts.csv")
    expected = {(row["name"], row["text"], row["is_problem"] == "true"): row for row in rows}
    found = judge(BOOK, expected)
    wrong_kinds = [text for text, row in expected.items() if found[text].kind != row["kind"]]
    wrong_reasons = [
        text
        for text, row in expected.items()
        if text not in wrong_kinds and (found[text].failure_reason or "") != row["failure_reason"]
    ]
    opposites = {"payment_succeeded", "payment_failed"}
    assert [text for text in wrong_kinds if {found[text].kind, expected[text]["kind"]} == opposites] == []
    assert len(wrong_kinds) <= 0.03 * len(rows), wrong_kinds
    assert len(wrong_reasons) <= 0.10 * len(rows), wrong_reasons
