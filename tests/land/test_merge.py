"""Landing is order-free and idempotent: any order and any repetition of answers ends in the same table."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tested_warehouse import empty_warehouse
from wire_records import ANSWERED_AT, RECORD, wire

from pipelines.extract.histories import HISTORIES
from pipelines.extract.records import RejectedRecord
from pipelines.foundation.transactions import transaction
from pipelines.land.merge import Page, RowCounts, land_pages

TABLE = "land.coworker_invoice_histories"
VERSIONS = "land.coworker_invoice_history_versions"


def at(minutes):
    return ANSWERED_AT + timedelta(minutes=minutes)


def answer(raws, seen):
    records = [HISTORIES.contract.read(raw) for raw in raws]
    return Page(
        [record for record in records if not isinstance(record, RejectedRecord)],
        [record for record in records if isinstance(record, RejectedRecord)],
        at(seen),
    )


def land(connection, *raws, seen=0):
    """What landing one answer does."""
    return land_at_once(connection, [answer(raws, seen)])


def land_at_once(connection, answers):
    with transaction(connection):
        return land_pages(connection, HISTORIES, answers)


def rows(connection, columns="*", table=TABLE):
    return connection.execute(f"select {columns} from {table} order by all").fetchall()


# An answer holds for each of a few Ids when it was updated and what it says.
contents = st.dictionaries(st.integers(1, 4), st.tuples(st.integers(-3, 0), st.sampled_from("abc")), max_size=4)


@st.composite
def answers_in_some_order(draw):
    """Answers (no two at the same second), and an order in which they are landed, each at least once, some together."""
    answers = [(second, draw(contents)) for second in range(draw(st.integers(1, 4)))]
    again = draw(st.lists(st.sampled_from(answers), max_size=3))
    order = draw(st.permutations([*answers, *again]))
    ends = sorted({*draw(st.sets(st.integers(1, len(order)))), len(order)})
    return answers, [order[start:end] for start, end in pairwise([0, *ends])]


def newest_by_hand(answers):
    """Of each Id the latest UpdatedOn, seen latest; with when it was first seen."""
    newest, first = {}, {}
    for seen, content in answers:
        for row_id, (updated, name) in content.items():
            newest[row_id] = max(newest.get(row_id, ()), (at(updated), at(seen), name))
            first[row_id] = min(first.get(row_id, at(seen)), at(seen))
    return sorted((row_id, *found, first[row_id]) for row_id, found in newest.items())


@settings(max_examples=40, deadline=None)
@given(answers_in_some_order())
@example(
    # An old sight of a row in the same transaction as a new one, behind one in between.
    (
        [(0, {1: (0, "a"), 2: (0, "a")}), (1, {1: (0, "a"), 2: (0, "b")}), (2, {1: (0, "a")})],
        [[(1, {1: (0, "a"), 2: (0, "b")}), (0, {1: (0, "a"), 2: (0, "a")}), (2, {1: (0, "a")})]],
    )
)
def test_any_order_and_any_repetition_of_answers_ends_in_the_same_table(drawn):
    answers, together = drawn
    with empty_warehouse() as connection:
        for some in together:
            counts = land_at_once(connection, [answer(page(content), seen) for seen, content in some])
            assert sum(counts) == sum(len(content) for _, content in some)

        assert rows(connection, "id, updated_on, seen_at, name, first_seen_at") == newest_by_hand(answers)
        observed = {(row_id, name) for _, content in answers for row_id, (_, name) in content.items()}
        kept = {(row_id, name) for row_id, name in rows(connection, "id, raw ->> 'Name'", VERSIONS)}
        assert kept == observed


def page(content):
    return [
        wire(Id=row_id, UpdatedOn=f"{at(updated):%FT%TZ}", Name=name) for row_id, (updated, name) in content.items()
    ]


def test_an_older_row_never_replaces_a_newer_however_late_it_is_seen(warehouse):
    land(warehouse, wire(UpdatedOn="2025-02-01T00:00:00Z", Name="new"), seen=0)

    counts = land(warehouse, wire(UpdatedOn="2025-01-01T00:00:00Z", Name="old"), seen=9)

    assert rows(warehouse, "name, seen_at") == [("new", at(0))]
    assert counts == RowCounts(same=1)


def test_a_payment_seen_days_after_updated_on_went_back_is_landed(warehouse):
    day = 24 * 60
    land(warehouse, wire(UpdatedOn="2025-02-01T00:00:00Z", CoworkerInvoicePaid=False), seen=0)

    land(warehouse, wire(UpdatedOn="2025-01-01T00:00:00Z", CoworkerInvoicePaid=True), seen=3 * day)
    assert rows(warehouse, "coworker_invoice_paid, seen_at") == [(True, at(3 * day))]

    land(warehouse, wire(UpdatedOn="2025-02-01T00:00:00Z", CoworkerInvoicePaid=False), seen=0)
    assert rows(warehouse, "coworker_invoice_paid, seen_at") == [(True, at(3 * day))]


def test_of_the_same_updated_on_the_one_seen_later_counts(warehouse):
    land(warehouse, wire(CoworkerInvoicePaid=False), seen=0)

    assert land(warehouse, wire(CoworkerInvoicePaid=True), seen=1) == RowCounts(changed=1)
    assert land(warehouse, wire(CoworkerInvoicePaid=False), seen=0) == RowCounts(same=1)

    assert rows(warehouse, "coworker_invoice_paid, seen_at") == [(True, at(1))]


def test_of_two_answers_within_a_second_the_one_landed_later_counts(warehouse):
    land(warehouse, wire(CoworkerInvoicePaid=False))
    land(warehouse, wire(CoworkerInvoicePaid=True))

    assert rows(warehouse, "coworker_invoice_paid") == [(True,)]


def test_the_answer_that_came_first_tells_when_a_row_was_there_even_if_it_is_landed_last(warehouse):
    land(warehouse, wire(), seen=5)
    land(warehouse, wire(UpdatedOn="2025-01-01T00:00:00Z"), seen=2)

    assert rows(warehouse, "first_seen_at, seen_at") == [(at(2), at(5))]


def test_a_version_is_kept_of_each_content_and_none_of_a_repetition(warehouse):
    for seen, name in enumerate(["sent", "sent", "paid", "paid", "sent"]):
        land(warehouse, wire(Name=name), seen=seen)

    assert rows(warehouse, "seen_at, raw ->> 'Name'", VERSIONS) == [(at(0), "sent"), (at(2), "paid"), (at(4), "sent")]


def test_an_older_answer_landed_late_and_again_is_one_version(warehouse):
    old = wire(UpdatedOn="2025-01-01T00:00:00Z", Name="old")
    land(warehouse, wire(UpdatedOn="2025-02-01T00:00:00Z", Name="new"), seen=5)
    for _ in range(2):
        land(warehouse, old, seen=2)

    assert rows(warehouse, "seen_at, raw ->> 'Name'", VERSIONS) == [(at(2), "old"), (at(5), "new")]


def test_what_was_thought_deleted_and_comes_again_as_it_was_is_there(warehouse):
    land(warehouse, wire())
    warehouse.execute(f"update {TABLE} set deleted_at = now()")

    assert land(warehouse, wire(), seen=1) == RowCounts(same=1)
    assert rows(warehouse, "deleted_at, seen_at") == [(None, at(1))]


def test_the_version_is_the_record_word_for_word(warehouse):
    raw = wire(Extra={"Deep": [1, 2.50, None]}, CoworkerInvoiceTotalAmount="1.10")

    land(warehouse, raw)

    assert rows(warehouse, "raw::varchar", VERSIONS) == [(raw.decode(),)]


def test_an_id_that_comes_twice_in_one_answer_is_one_row_the_newest(warehouse):
    counts = land(
        warehouse,
        wire(UpdatedOn="2025-02-01T00:00:00Z", Name="new"),
        wire(UpdatedOn="2025-01-01T00:00:00Z", Name="old"),
    )

    assert rows(warehouse, "name") == [("new",)]
    assert counts == RowCounts(new=1)


def test_every_documented_field_lands_under_its_own_name(warehouse):
    texts = {"SystemId": "legacy-7", "LocalizationDetails": [{"Language": "es"}], "CustomFields": {"Region": "North"}}
    record = HISTORIES.contract.read(wire(**texts))
    land(warehouse, wire(**texts))

    (row,) = rows(warehouse, ", ".join(HISTORIES.contract.columns))

    landed = dict(zip(HISTORIES.contract.columns, row, strict=True))
    as_json = {"localization_details": '[{"Language": "es"}]', "custom_fields": '{"Region": "North"}'}
    assert landed == {name: getattr(record, name) for name in HISTORIES.contract.columns} | as_json


def test_ids_of_64_bits_and_amounts_of_18_digits_land_to_the_last_digit(warehouse):
    largest = 2**63 - 1
    amount = "99999999999999.9999"

    land(warehouse, wire(Id=largest, CoworkerInvoiceId=largest, CoworkerInvoiceTotalAmount=amount))

    columns = "id, coworker_invoice_id, coworker_invoice_total_amount"
    assert rows(warehouse, columns) == [(largest, largest, Decimal(amount))]
    assert warehouse.execute(f"select typeof(coworker_invoice_total_amount) from {TABLE}").fetchone() == (
        "DECIMAL(18,4)",
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-(10**18) + 1, 10**18 - 1), min_size=1, max_size=8))
def test_every_amount_of_an_answer_lands_exactly(units):
    amounts = [Decimal(unit).scaleb(-4) for unit in units]
    with empty_warehouse() as connection:
        land(connection, *[wire(Id=i, CoworkerInvoiceTotalAmount=f"{a:f}") for i, a in enumerate(amounts)])

        assert [row[1] for row in rows(connection, "id, coworker_invoice_total_amount")] == amounts


def test_fields_that_nobody_documented_land_in_extra(warehouse):
    land(warehouse, wire(Id=1, RetryCount=3), wire(Id=2))

    assert rows(warehouse, "id, extra::varchar") == [(1, '{"RetryCount":3}'), (2, None)]


def test_a_field_that_is_gone_again_is_gone_from_extra(warehouse):
    land(warehouse, wire(RetryCount=3), seen=0)
    land(warehouse, wire(), seen=1)

    assert rows(warehouse, "extra") == [(None,)]


def test_a_broken_record_is_set_aside_once_with_its_reason_and_the_others_land(warehouse):
    broken = wire(Id=2, UpdatedOn="soon")

    assert land(warehouse, wire(Id=1), broken, wire(Id=3)) == RowCounts(new=2, rejected=1)
    land_at_once(warehouse, [answer([broken], 1), answer([broken], 2)])

    assert rows(warehouse, "id") == [(1,), (3,)]
    ((row_id, reason, raw, seen_at),) = rows(warehouse, "id, reason, raw, first_seen_at", "land.rejected_records")
    assert (row_id, raw, seen_at) == (2, broken.decode(), at(0))
    assert "UpdatedOn" in reason


def test_a_broken_record_that_comes_twice_at_once_is_set_aside_once(warehouse):
    broken = wire(Id=2, UpdatedOn="soon")

    land_at_once(warehouse, [answer([broken], 1), answer([broken], 2)])

    assert rows(warehouse, "id, seen_at", "land.rejected_records") == [(2, at(2))]


def test_a_deleted_row_that_returns_loses_the_mark_and_an_old_sight_of_it_does_not_bring_it_back(warehouse):
    land(warehouse, wire(), seen=1)
    warehouse.execute(f"update {TABLE} set deleted_at = $at", {"at": at(2)})

    land(warehouse, wire(), seen=0)
    assert rows(warehouse, "deleted_at") == [(at(2),)]

    land(warehouse, wire(), seen=3)
    assert rows(warehouse, "deleted_at, first_seen_at") == [(None, at(0))]


def test_text_comes_back_letter_for_letter(warehouse):
    texts = ["", "O'Brien; drop table land.windows --", "日本 🧾 Ünïcödé", "tab\tline\nend", "nul\x00inside"]

    land(warehouse, *[wire(Id=i, Description=text) for i, text in enumerate(texts)])

    *unchanged, (_, with_nul) = rows(warehouse, "id, description")
    assert [text for _, text in unchanged] == texts[:-1]
    assert with_nul == "nul\N{REPLACEMENT CHARACTER}inside"


def test_the_example_of_the_reference_page_lands(warehouse):
    empty = dict.fromkeys(RECORD) | {"CoworkerInvoiceId": 0, "Id": 87654321, "UpdatedOn": RECORD["UpdatedOn"]}

    assert land(warehouse, wire(**empty)) == RowCounts(new=1)


@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_answer_changes_nothing(warehouse, count):
    land(warehouse, *[wire()] * count)
    before = rows(warehouse)

    assert land(warehouse) == RowCounts()
    assert rows(warehouse) == before
