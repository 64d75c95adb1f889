"""Whatever comes from data is text."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.show import markup
from pipelines.show.markup import Cell, Column

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'; drop table invoices;--"


def test_a_table_holds_no_tag_of_the_data():
    made = markup.table(EVIL, [Column(EVIL, hover=EVIL)], [[Cell(EVIL, hover=EVIL, link="/?x=" + EVIL)]])
    assert "<script" not in made
    assert "<img" not in made
    assert "onerror=alert(1)>" not in made


@given(st.text(min_size=1))
def test_no_text_ends_an_attribute_or_begins_a_tag(text):
    plain = markup.card("a", "b", [Cell("c")], hover="d")
    made = markup.card(text, text, [Cell(text, hover=text)], hover=text)
    assert made.count("<") == plain.count("<")
    assert made.count('"') == plain.count('"') + 2
