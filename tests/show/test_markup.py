"""Whatever comes from data is text."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.show import markup
from pipelines.show.columns import Column

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'; drop table invoices;--"


def test_a_table_holds_no_tag_of_the_data():
    made = markup.table(EVIL, [Column(EVIL, "x"), Column(EVIL, "y", "words")], [{"x": EVIL, "y": EVIL}])
    assert "<script" not in made
    assert "<img" not in made
    assert "onerror=alert(1)>" not in made


@given(st.text(min_size=1))
def test_no_text_ends_an_attribute_or_begins_a_tag(text):
    plain = markup.notice("a", leads_to=[("b", "/c")])
    made = markup.notice(text, leads_to=[(text, text)])
    assert made.count("<") == plain.count("<")
    assert made.count(chr(34)) == plain.count(chr(34))
