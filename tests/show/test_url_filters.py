"""A view and its address are two forms of one thing."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.show.url_filters import Choices, Period, read_view


def period(code, kind, start, end, *, is_complete=True):
    return Period(code, kind, start, end, end, start, end, is_complete, has_previous=True)


OCTOBER = period("2026-10", "month", date(2026, 10, 1), date(2026, 10, 31))
CHOICES = Choices(
    periods=(
        period("last-28-days", "rolling", date(2026, 10, 26), date(2026, 11, 22)),
        period("2026-11", "month", date(2026, 11, 1), date(2026, 11, 30), is_complete=False),
        OCTOBER,
    ),
    businesses={1: "One", 2: "Two"},
    currencies=("GBP", "none"),
    kinds=("payment_failed", "refund"),
    reasons=("card_expired",),
)


NOVEMBER = CHOICES.periods[1]


def test_without_a_filter_it_is_the_running_month_of_everything():
    view, said = read_view({}, CHOICES)
    assert (view.period, view.businesses, view.query(), said) == (NOVEMBER, (), {}, [])
    assert CHOICES.whole_month == OCTOBER


@pytest.mark.parametrize(("last_day", "default"), [(2, OCTOBER), (3, None)])
def test_a_month_with_less_than_three_days_of_data_is_not_opened_first(last_day, default):
    begun = replace(NOVEMBER, data_until_date=date(2026, 11, last_day))
    assert replace(CHOICES, periods=(begun, OCTOBER)).default_period == (default or begun)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "period": st.sampled_from(["last-28-days", "2026-10"]).map(lambda one: [one]),
            "business": st.permutations(["1", "2"]).map(lambda all_: all_[:1]),
            "currency": st.permutations(["GBP", "none"]),
            "kind": st.permutations(["payment_failed", "refund"]),
            "reason": st.just(["card_expired"]),
            "invoice": st.integers(0, 2**63 - 1).map(lambda one: [str(one)]),
            "day": st.dates().map(lambda one: [one.isoformat()]),
            "counted": st.just(["yes"]),
            "text": st.sampled_from(["INV-1", "a b"]).map(lambda one: [one]),
        },
    )
)
def test_a_view_that_is_sent_is_the_view_that_arrives(query):
    view, said = read_view(query, CHOICES)
    assert said == []
    assert view.query() == query
    assert read_view(view.query(), CHOICES)[0] == view


@given(
    st.dictionaries(
        st.sampled_from(["period", "business", "currency", "kind", "reason", "invoice", "entry", "day", "text", "x"]),
        st.lists(st.text(max_size=30), max_size=3),
    )
)
def test_any_address_is_a_view_and_never_an_error(query):
    view, _ = read_view(query, CHOICES)
    assert read_view(view.query(), CHOICES)[1] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("business", "3"),
        ("currency", "'; drop table invoices"),
        ("invoice", "-1"),
        ("day", "2026-13-01"),
        ("kind", "x"),
    ],
)
def test_what_does_not_exist_is_left_out_and_said(name, value):
    view, said = read_view({name: [value]}, CHOICES)
    assert view == read_view({}, CHOICES)[0]
    assert said == [f"There is no {name} “{value}” in this file; the filter was ignored."]


def test_a_period_that_does_not_exist_is_the_default_one():
    view, said = read_view({"period": ["1999-01"]}, CHOICES)
    assert (view.period, said) == (
        NOVEMBER,
        ["There is no period “1999-01” in this file; showing November 2026 (so far)."],
    )
