"""What the API's bytes mean, and when they break the contract."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_records import ANSWERED_AT, RECORD, answer, wire

from pipelines.extract.histories import HISTORIES, HistoryRecord
from pipelines.extract.records import EnvelopeError, RejectedRecord, decode_search


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


def read(**changes):
    record = HISTORIES.contract.read(wire(**changes))
    assert isinstance(record, HistoryRecord), record
    return record


def refusal(raw):
    rejected = HISTORIES.contract.read(raw)
    assert isinstance(rejected, RejectedRecord), rejected
    return rejected


def test_every_documented_field_has_a_column_and_every_column_a_documented_field():
    assert set(HISTORIES.contract.columns.values()) == set(RECORD)


def test_every_documented_field_is_read_as_what_it_means():
    record = read(LocalizationDetails=[{"Language": "es"}], CustomFields={"Region": "North"}, SystemId="legacy-7")

    assert {name: getattr(record, name) for name in HISTORIES.contract.columns} == {
        "coworker_invoice_id": 61870047,
        "coworker_invoice_coworker_id": 8201345,
        "coworker_invoice_business_id": 1414970,
        "coworker_invoice_business_currency_code": "GBP",
        "coworker_invoice_coworker_full_name": "Siobhán O'Brien",
        "coworker_invoice_total_amount": Decimal(149),
        "coworker_invoice_invoice_number": "INV-000001",
        "coworker_invoice_bill_to_name": "O'Brien Studio Ltd",
        "coworker_invoice_paid": True,
        "coworker_invoice_paid_on": at(2025, 1, 20, 23, 10),
        "coworker_invoice_refunded": False,
        "coworker_invoice_refunded_on": None,
        "coworker_invoice_due_date": at(2025, 1, 15),
        "coworker_invoice_draft": False,
        "name": "Payment Result",
        "description": "FAILED: Insufficient funds.",
        "is_problem": True,
        "notify": False,
        "id": 87654321,
        "updated_on": at(2025, 1, 15, 10, 30),
        "created_on": at(2025, 1, 10, 8),
        "unique_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "updated_by": "admin@example.com",
        "is_new": False,
        "system_id": "legacy-7",
        "to_string_text": "CoworkerInvoiceHistory Example",
        "localization_details": msgspec.Raw(b'[{"Language": "es"}]'),
        "custom_fields": msgspec.Raw(b'{"Region": "North"}'),
    }


@pytest.mark.parametrize(
    ("field", "written", "meant"),
    [
        ("CoworkerInvoiceTotalAmount", "149.00", Decimal("149.00")),
        ("CoworkerInvoiceTotalAmount", "", None),
        ("CoworkerInvoiceTotalAmount", None, None),
        ("CoworkerInvoicePaid", "true", True),
        ("CoworkerInvoicePaid", "False", False),
        ("CoworkerInvoicePaid", "", None),
        ("CoworkerInvoiceDraft", "True", True),
        ("CoworkerInvoiceDraft", 0, False),
        ("CoworkerInvoicePaidOn", "", None),
        ("Id", "87654321", 87654321),
        ("Id", 2**63 - 1, 2**63 - 1),
    ],
)
def test_numbers_and_flags_may_come_as_text(field, written, meant):
    column = next(column for column, name in HISTORIES.contract.columns.items() if name == field)

    assert getattr(read(**{field: written}), column) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2025-01-15T10:30:00Z", at(2025, 1, 15, 10, 30)),
        ("2025-01-15T10:30:00", at(2025, 1, 15, 10, 30)),
        ("2025-01-15T10:30:00.123", at(2025, 1, 15, 10, 30, 0, 123000)),
        ("2025-01-15T10:30:00.1234567Z", at(2025, 1, 15, 10, 30, 0, 123457)),
        ("2025-01-15T12:30:00+02:00", at(2025, 1, 15, 10, 30)),
    ],
)
def test_times_without_a_zone_are_utc_and_fractions_and_offsets_are_understood(written, meant):
    updated = read(UpdatedOn=written).updated_on

    assert updated == meant
    assert updated.tzinfo is UTC


def test_where_updated_on_is_null_created_on_stands_in():
    assert read(UpdatedOn=None).touched_at == at(2025, 1, 10, 8)


def test_fields_that_nobody_documented_are_kept_word_for_word():
    record = read(RetryCount=3, Gateway={"Name": "Stripe", "Fee": 1.10})

    assert msgspec.json.decode(record.extra) == {"RetryCount": 3, "Gateway": {"Name": "Stripe", "Fee": 1.10}}
    assert record.description == RECORD["Description"]
    assert record.raw == wire(RetryCount=3, Gateway={"Name": "Stripe", "Fee": 1.10})


def test_a_record_with_no_unknown_field_has_no_extra():
    assert read(CoworkerInvoicePaidOn="").extra is None


def test_all_but_the_ids_and_the_time_may_be_missing():
    record = HISTORIES.contract.read(b'{"Id": 7, "CoworkerInvoiceId": 1, "CreatedOn": "2025-01-10T08:00:00Z"}')

    assert (record.id, record.touched_at, record.coworker_invoice_total_amount) == (7, at(2025, 1, 10, 8), None)


amounts = st.integers(-(10**18) + 1, 10**18 - 1).map(lambda units: Decimal(units).scaleb(-4))


@given(amounts, st.booleans())
def test_money_survives_the_wire_to_the_last_digit(amount, as_text):
    raw = wire(CoworkerInvoiceTotalAmount="@").replace(b'"@"', (f'"{amount:f}"' if as_text else f"{amount:f}").encode())

    record = HISTORIES.contract.read(raw)

    assert record.coworker_invoice_total_amount == amount
    assert isinstance(record.coworker_invoice_total_amount, Decimal)


@given(amounts)
def test_money_survives_beside_a_field_that_nobody_documented(amount):
    raw = wire(CoworkerInvoiceTotalAmount="@", Unknown=1).replace(b'"@"', f"{amount:f}".encode())

    assert HISTORIES.contract.read(raw).coworker_invoice_total_amount == amount


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"CoworkerInvoiceId": "not a number"}, "CoworkerInvoiceId"),
        ({"CoworkerInvoiceId": None}, "CoworkerInvoiceId"),
        ({"UpdatedOn": None, "CreatedOn": None}, "neither UpdatedOn nor CreatedOn"),
        ({"UpdatedOn": "yesterday"}, "UpdatedOn"),
        ({"CoworkerInvoiceTotalAmount": "1e14"}, "does not fit"),
        ({"CoworkerInvoiceTotalAmount": "0.12345"}, "does not fit"),
        ({"CoworkerInvoiceTotalAmount": "NaN"}, "not a number"),
        ({"CoworkerInvoicePaid": "perhaps"}, "CoworkerInvoicePaid"),
        ({"Name": {"en": "Payment Result"}}, "Name"),
    ],
)
def test_a_record_that_breaks_the_contract_is_set_aside_with_reason_and_id(changes, reason):
    rejected = refusal(wire(**changes))

    assert reason in rejected.reason
    assert rejected.id == 87654321
    assert rejected.raw == wire(**changes)


@pytest.mark.parametrize("written", [str(2**63).encode(), b"1.5", b"null", b'"x"'])
def test_an_id_that_no_64_bits_hold_is_set_aside_without_one(written):
    assert refusal(wire().replace(b"87654321", written)).id is None


def test_the_id_of_a_broken_record_is_its_own_and_not_one_nested_in_it():
    assert refusal(b'{"CustomFields": {"Id": 5}, "Id": 9223372036854775807, "UpdatedOn": "soon"}').id == 2**63 - 1


@pytest.mark.parametrize("field", ["Name", "CustomFields", "NobodyDocumentedIt"])
def test_text_that_is_not_utf_8_is_set_aside_wherever_it_stands(field):
    assert "utf-8" in refusal(wire(**{field: "@"}).replace(b'"@"', b'"caf\xe9"')).reason.lower()


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"text"', b"7"])
def test_what_is_no_object_is_no_record(raw):
    assert refusal(raw).id is None


def test_an_answer_is_read_with_what_the_server_says_of_it():
    found = decode_search(
        answer(wire(), CurrentPage=3, TotalItems=76, CurrentOrderField="UpdatedOn"), ANSWERED_AT, HISTORIES.contract
    )

    assert [record.id for record in found.records] == [87654321]
    assert (found.page, found.page_size, found.total_items, found.order_field) == (3, 25, 76, "UpdatedOn")
    assert not found.has_next_page
    assert found.answered_at == ANSWERED_AT


def test_a_broken_record_keeps_none_of_the_others_back():
    found = decode_search(answer(wire(Id=1), wire(Id=2, UpdatedOn="soon"), wire(Id=3)), ANSWERED_AT, HISTORIES.contract)

    assert [record.id for record in found.records] == [1, 3]
    assert [record.id for record in found.rejected] == [2]
    assert found.record_count == found.total_items == 3


def test_a_server_that_does_not_speak_of_the_next_page_is_believed_by_its_count():
    body = b'{"Records": [' + wire() + b'], "CurrentPage": 1, "TotalItems": 9}'

    found = decode_search(body, ANSWERED_AT, HISTORIES.contract)

    assert found.has_next_page
    assert found.page_size == 1


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML page"),
        (b"\n  <html>", "HTML page"),
        (answer(wire())[:-20], "cut short"),
        (b"", "cut short"),
        (b"[]", "not the documented envelope"),
        (b'{"Message": "OK"}', "not the documented envelope"),
        (b'{"Records": {}, "CurrentPage": 1, "TotalItems": 0}', "not the documented envelope"),
        (b'{"Records": [], "CurrentPage": 1}', "not the documented envelope"),
        (b"\xff\xfe\x00", "not the documented envelope"),
        (b'{"Records": null, "CurrentPage": 1, "TotalItems": 0}', "Records: null"),
    ],
)
def test_a_body_that_is_not_the_envelope_is_refused_and_the_likely_cause_named(body, cause):
    with pytest.raises(EnvelopeError, match=cause):
        decode_search(body, ANSWERED_AT, HISTORIES.contract)


@pytest.mark.fault("half an emoji in a text", "any answer", "exact")
@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"cut \udc4d end", "cut \ufffd end"),
        (rb"whole \ud83d\udc4d and cut \ud83d", "whole \U0001f44d and cut \ufffd"),
        (rb"no escape \\ud83d, cut \uD83D\n", "no escape \\ud83d, cut \ufffd\n"),
    ],
)
def test_half_an_emoji_does_not_make_its_page_unreadable(written, read):
    body = answer(wire(), wire(Id=2, Description="@").replace(b"@", written))

    first, second = decode_search(body, ANSWERED_AT, HISTORIES.contract).records

    assert (first.description, second.description) == ("FAILED: Insufficient funds.", read)


@pytest.mark.fault("raw newline, NUL, control character, stray backslash in a text", "any answer", "exact")
@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"a\nb\r\tc", "a\nb\r\tc"),
        (b"a\0b", "a\ufffdb"),
        (b"\x1b[0m", "\ufffd[0m"),
        (rb"C:\xyz \' \\n", "C:\\xyz \\' \\n"),
    ],
)
def test_characters_that_json_wants_escaped_do_not_make_their_page_unreadable(written, read):
    body = answer(wire(), wire(Id=2, Description="@").replace(b"@", written))

    first, second = decode_search(body, ANSWERED_AT, HISTORIES.contract).records

    assert (first.description, second.description) == ("FAILED: Insufficient funds.", read)


def test_a_control_character_is_in_the_raw_json_alone():
    record = read(CoworkerInvoiceBusinessCurrencyCode="G\0P", Name="\x9b2J\x7f", Description="two\n\tlines\u200b")

    assert record.coworker_invoice_business_currency_code == "G\ufffdP"
    assert (record.name, record.description) == ("\ufffd2J\ufffd", "two\n\tlines\u200b")
    assert b"\\u0000" in record.raw


@pytest.mark.fault("NaN or Infinity for a number", "any answer", "warned of")
@pytest.mark.parametrize("written", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_is_none_sets_its_record_aside_and_only_where_a_number_is_wanted(written):
    amount, unknown = (
        wire(**{field: "@"}).replace(b'"@"', written) for field in ("CoworkerInvoiceTotalAmount", "Surcharge")
    )

    read = decode_search(answer(wire(), amount, unknown), ANSWERED_AT, HISTORIES.contract)

    assert len(read.records) == 2
    assert read.records[1].extra == b'{"Surcharge":"%s"}' % written
    assert [(record.id, record.reason.split()[0]) for record in read.rejected] == [
        (RECORD["Id"], "CoworkerInvoiceTotalAmount")
    ]


@pytest.mark.fault("a value nested 1,500 deep, or 100,000", "any answer", "exact")
@pytest.mark.parametrize("depth", [1_500, 100_000])
@pytest.mark.parametrize("field", ["CustomFields", "Nested"])
def test_a_value_nested_without_end_is_kept_as_a_text(field, depth):
    deep = b"[" * depth + b"1" + b"]" * depth
    body = answer(wire(), wire(**{field: "@"}).replace(b'"@"', deep))

    first, second = decode_search(body, ANSWERED_AT, HISTORIES.contract).records

    kept = bytes(second.custom_fields) if field == "CustomFields" else second.extra
    assert kept.count(b"[") == depth
    assert first.description == second.description


@pytest.mark.fault("byte order mark, UTF-16, NULs after the end", "any answer", "exact")
@pytest.mark.parametrize(("coding", "after"), [("utf-8-sig", ""), ("utf-16", ""), ("utf-8", "\0\0")])
def test_a_body_in_another_coding_is_read(coding, after):
    body = (answer(wire()).decode() + after).encode(coding)

    assert len(decode_search(body, ANSWERED_AT, HISTORIES.contract).records) == 1


def test_a_whole_body_is_never_called_cut_short():
    with pytest.raises(EnvelopeError, match="it is whole"):
        decode_search(answer(wire()[:-1] + b",}"), ANSWERED_AT, HISTORIES.contract)


def test_a_text_without_end_is_looked_at_once():
    with pytest.raises(EnvelopeError, match="not the documented envelope"):
        decode_search(b'"\\' * 200_000, ANSWERED_AT, HISTORIES.contract)


def test_the_latest_time_that_dot_net_knows_is_read():
    record = HISTORIES.contract.read(wire(CoworkerInvoiceDueDate="9999-12-31T23:59:59.9999999"))

    assert record.coworker_invoice_due_date == datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_the_last_instant_of_a_day_stays_in_that_day():
    record = HISTORIES.contract.read(
        wire(
            CreatedOn="2025-03-31T23:59:59.9999999Z",
            CoworkerInvoicePaidOn="2025-03-31T23:59:59.9999996",
            Description="Due 2025-03-31T23:59:59.9999999",
        )
    )

    assert record.created_on == record.coworker_invoice_paid_on == at(2025, 3, 31, 23, 59, 59, 999999)
    assert record.description == "Due 2025-03-31T23:59:59.9999999"


def test_json_nested_without_end_is_refused_in_a_sentence():
    with pytest.raises(EnvelopeError, match="not the documented envelope"):
        decode_search(b'{"Records": ' + b"[" * 100_000, ANSWERED_AT, HISTORIES.contract)
