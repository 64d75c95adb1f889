from datetime import UTC, datetime, timedelta

import pytest

FROM, TO = "from_CoworkerInvoiceHistory_UpdatedOn", "to_CoworkerInvoiceHistory_UpdatedOn"
NOON = datetime(2025, 6, 28, 12, tzinfo=UTC)


def place(api, *offsets):
    """Entries around noon of a day, by seconds; their Ids."""
    invoice_id = next(iter(api.sandbox.store.invoices))
    return [
        api.sandbox.store.insert(invoice_id, "Note", f"{offset}", updated_on=NOON + timedelta(seconds=offset)).id
        for offset in offsets
    ]


def around_noon(api, end="2025-06-28T12:00", start="2025-06-28T11:59"):
    return api.ids(**{FROM: start, TO: end, "CoworkerInvoiceHistory_Name": "Note"})


def test_pages_tile_the_whole_in_order(quiet_api):
    rows, page = [], 1
    while True:
        answer = quiet_api.search(page=page, size=400, orderBy="UpdatedOn", dir=0)
        rows += [(record["UpdatedOn"], record["Id"]) for record in answer["Records"]]
        assert answer["FirstItem"] == (page - 1) * 400 + 1
        assert answer["LastItem"] == len(rows)
        assert answer["HasPreviousPage"] == (page > 1)
        if not answer["HasNextPage"]:
            break
        page += 1
    assert answer["TotalPages"] == page == answer["CurrentPage"] == answer["PageNumber"]
    assert rows == sorted(rows)
    assert len({entry_id for _, entry_id in rows}) == answer["TotalItems"] == len(quiet_api.sandbox.store)


def test_a_page_beyond_the_last_is_empty(quiet_api):
    answer = quiet_api.search(page=99, size=100)
    assert (answer["Records"], answer["CurrentPage"], answer["HasNextPage"]) == ([], 99, False)


@pytest.mark.parametrize("field", ["Id", "Name", "CreatedOn", "UpdatedOn", "CoworkerInvoiceTotalAmount"])
def test_any_field_orders_both_ways(quiet_api, field):
    up = [record[field] for record in quiet_api.search(size=1000, orderBy=field, dir=0)["Records"]]
    down = [record[field] for record in quiet_api.search(size=1000, orderBy=field, dir=1)["Records"]]

    def key(value):
        return value.casefold() if isinstance(value, str) else value

    assert up == sorted(up, key=key)
    assert down == sorted(down, key=key, reverse=True)
    assert up != down


def test_nulls_come_first_and_no_range_finds_them(api):
    gone = api.ids(size=1)[0]
    api.sandbox.store.forget_updated_on(gone)
    first = api.search(orderBy="UpdatedOn", dir=0, size=1)["Records"][0]
    assert (first["Id"], first["UpdatedOn"]) == (gone, None)
    assert gone not in api.ids(**{TO: "2099-01-01T00:00"}, size=1000)


def test_the_other_convention_of_dir_turns_the_order(api):
    api.sandbox.knobs.dir_convention = "1/-1"
    up, down, neither = (api.ids(orderBy="Id", dir=direction, size=3) for direction in (1, -1, 0))
    assert up == sorted(up)
    assert down == neither == sorted(down, reverse=True)
    assert up != down


def test_the_size_is_cut_to_the_largest_and_said(api):
    api.sandbox.knobs.max_page_size = 10
    answer = api.search(size=500)
    assert (len(answer["Records"]), answer["CurrentPageSize"], answer["PageSize"]) == (10, 10, 10)


@pytest.mark.parametrize(
    ("range_end", "kept"),
    [("second", [-60, 0]), ("minute", [-60, 0]), ("whole_minute", [-60, 0, 30, 59]), ("exclusive", [-60])],
)
def test_the_end_of_a_range_is_read_as_set(api, range_end, kept):
    offsets = [-61, -60, 0, 30, 59, 60]
    ids = place(api, *offsets)
    api.sandbox.knobs.range_end = range_end
    assert around_noon(api) == [one for one, offset in zip(ids, offsets, strict=True) if offset in kept]


def test_seconds_in_a_filter_count_only_when_compared_by_the_second(api):
    ids = place(api, 0, 20, 40)
    assert around_noon(api, start="2025-06-28T12:00:10", end="2025-06-28T12:00:30") == ids[1:2]
    api.sandbox.knobs.range_end = "minute"
    assert around_noon(api, start="2025-06-28T12:00:10", end="2025-06-28T12:00:30") == ids[:1]


def test_filters_in_another_time_zone_shift_what_is_found(api):
    ids = place(api, -7200, 0)
    api.sandbox.knobs.filter_time_zone = "Europe/Madrid"
    assert around_noon(api) == ids[:1]


def test_ties_come_in_another_order_at_each_request_but_none_is_lost(api):
    store = api.sandbox.store
    api.sandbox.knobs.shuffle_ties = True
    batch = {entry.id for entry in store.collect(NOON, 300, spread_seconds=2)}
    window = {FROM: "2025-06-28T12:00", TO: "2025-06-28T12:01", "orderBy": "UpdatedOn", "size": 100}
    first, again = api.ids(**window), api.ids(**window)
    assert first != again
    assert set(first) <= batch
    whole = api.search(**(window | {"size": 1000}))["Records"]
    assert {record["Id"] for record in whole} == batch
    assert [record["UpdatedOn"] for record in whole] == sorted(record["UpdatedOn"] for record in whole)


def test_a_value_that_cannot_be_read_answers_400_and_names_it(quiet_api):
    answer = quiet_api.get(**{FROM: "yesterday"})
    assert answer.status_code == 400
    assert answer.json()["Errors"][0]["PropertyName"] == FROM


def test_invoice_fields_are_joined_when_asked_and_updated_on_stays(api):
    invoice = next(one for one in api.sandbox.store.invoices.values() if one.paid_on is None and len(one.entries) > 1)
    before = api.search(CoworkerInvoiceHistory_CoworkerInvoice=invoice.id)["Records"]
    api.sandbox.store.pay(invoice.id)
    after = api.search(CoworkerInvoiceHistory_CoworkerInvoice=invoice.id)["Records"]
    assert [record["CoworkerInvoicePaid"] for record in before + after] == [False] * len(before) + [True] * len(before)
    assert {record["CoworkerInvoicePaidOn"] for record in after} == {"2025-06-30T12:00:00Z"}
    assert [record["UpdatedOn"] for record in before] == [record["UpdatedOn"] for record in after]
    found = api.ids(from_CoworkerInvoiceHistory_CoworkerInvoicePaidOn="2025-06-30T12:00")
    assert set(found) >= {record["Id"] for record in after}


def test_the_date_header_tells_the_sandboxs_time(api):
    api.sandbox.clock.set(datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC))
    assert api.get(size=1).headers["Date"] == "Thu, 29 Feb 2024 23:59:58 GMT"
    api.sandbox.knobs.date_header_skew_seconds = 3
    assert api.get(size=1).headers["Date"] == "Fri, 01 Mar 2024 00:00:01 GMT"
    api.sandbox.knobs.date_header = False
    assert "Date" not in api.get(size=1).headers


def test_get_one_answers_the_record_and_404_when_it_is_gone(api):
    record = api.search(size=1)["Records"][0]
    path = f"/api/billing/coworkerinvoicehistories/{record['Id']}"
    assert api.http.get(path).json() == record
    api.sandbox.store.delete(record["Id"])
    assert api.http.get(path).status_code == 404


def test_businesses_are_listed_with_currency_and_time_zone(quiet_api):
    answer = quiet_api.http.get("/api/sys/businesses", params={"page": 2, "size": 5}).json()
    assert (len(answer["Records"]), answer["TotalItems"], answer["TotalPages"]) == (5, 12, 3)
    assert answer["Records"][0].keys() == {"Id", "Name", "CurrencyCode", "SimpleTimeZoneId"}


def test_requests_are_logged_so_that_tests_can_count_them(api):
    api.get(size=1)
    api.http.get("/api/sys/businesses")
    api.get(size=7)
    assert api.sandbox.requests.data_count == 2
    last = api.sandbox.requests.data()[-1]
    assert (last.method, last.params, last.status, last.record_count) == ("GET", {"size": "7"}, 200, 7)
