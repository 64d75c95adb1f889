"""A short version of tests/bench/interval_coverage.py: intervals hold, and chance is seldom called a change."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "bench"))
from interval_coverage import measure


@pytest.mark.parametrize(("rate", "nights"), [("attempts", 1), ("attempts", 20), ("first attempts", 20)])
def test_intervals_hold_however_often_invoices_without_a_card_are_tried(rate, nights):
    found = measure(1500, 300, nights, rate)
    # Three standard errors of 1,500 and of 750 draws around 95 % and 5 %.
    assert 0.933 <= found.coverage <= 0.967
    assert found.false_alone <= 0.074
