"""When the API is asked what businesses are called."""

from datetime import timedelta

from wire_records import ANSWERED_AT, wire

from pipelines.extract.histories import HISTORIES
from pipelines.land.business_names import is_due, store_names
from pipelines.land.merge import Page, land_pages


def test_the_api_is_asked_once_a_week_even_where_it_names_nobody(warehouse):
    assert not is_due(warehouse, ANSWERED_AT)
    land_pages(warehouse, HISTORIES, [Page([HISTORIES.contract.read(wire())], [], ANSWERED_AT)])
    assert is_due(warehouse, ANSWERED_AT)
    store_names(warehouse, [], "api", ANSWERED_AT)
    assert not is_due(warehouse, ANSWERED_AT + timedelta(days=6))
    assert is_due(warehouse, ANSWERED_AT + timedelta(days=8))
