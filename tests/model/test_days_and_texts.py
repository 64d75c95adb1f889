"""The right day in any zone, and texts that name nobody."""

from datetime import UTC, datetime

import pytest
from given import NO_FUNDS, entry, land, model, row, rows


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/London", datetime(2025, 3, 29, 23, 59, 59, tzinfo=UTC), "2025-03-29"),
        ("Europe/London", datetime(2025, 3, 30, 23, 0, 0, tzinfo=UTC), "2025-03-31"),
        ("Europe/London", datetime(2025, 10, 25, 22, 59, 59, tzinfo=UTC), "2025-10-25"),
        ("Europe/London", datetime(2025, 10, 26, 23, 59, 59, tzinfo=UTC), "2025-10-26"),
        ("America/New_York", datetime(2026, 1, 1, 4, 59, 59, tzinfo=UTC), "2025-12-31"),
        ("America/New_York", datetime(2025, 11, 2, 5, 30, tzinfo=UTC), "2025-11-02"),
        ("Pacific/Kiritimati", datetime(2025, 12, 31, 10, tzinfo=UTC), "2026-01-01"),
        ("Pacific/Pago_Pago", datetime(2026, 1, 1, 10, 59, 59, tzinfo=UTC), "2025-12-31"),
        ("Asia/Kathmandu", datetime(2025, 2, 28, 18, 15, tzinfo=UTC), "2025-03-01"),
        ("UTC", datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), "2024-02-29"),
    ],
)
def test_an_entry_falls_on_the_calendar_day_of_the_reporting_zone(warehouse, zone, moment, day):
    warehouse.execute("set timezone = 'Australia/Lord_Howe'")
    land(warehouse, entry(1, 1, NO_FUNDS, moment))
    model(warehouse, "monthly_payment_failure_rates", "payment_attempts", zone=zone)
    found = row(
        warehouse, "select day_date::varchar as day, month_start_date::varchar as month from model.payment_attempts"
    )
    assert found == {"day": day, "month": day[:8] + "01"}
    assert (
        row(warehouse, "select month_start_date::varchar as month from model.monthly_payment_failure_rates")["month"]
        == day[:8] + "01"
    )


TEXTS = [
    ("Sent to jane.o'brien+x@mail.example.co.uk, twice", "Sent to <email>, twice"),
    ("Paid 1,234.50 GBP on 2025-03-03T10:00 by card 4242.", "Paid # GBP on # by card #."),
    ("Charge ch_3Nf8aJ2eZvKYlo2C failed", "Charge # failed"),
    ("id 6f9619ff-8b86-d011-b42d-00cf4fc964ff", "id #"),
    ("IBAN GB29NWBK60161331926819", "IBAN #"),
    ("José Ángel Muñoz owes; Muñoz, José was told", "<name> owes; <name> was told"),
    ("ACME-Works paid, and acme works again", "<name> paid, and <name> again"),
    ("Joséphine is somebody else", "Joséphine is somebody else"),
    ("Marked by anna.admin", "Marked by <name>"),
    (None, None),
]


def test_a_pattern_names_no_number_no_address_and_no_party(warehouse):
    parties = {"full_name": "José Ángel Muñoz", "bill_to": "ACME Works", "updated_by": "anna.admin@example.com"}
    land(warehouse, *(entry(number, number, text, **parties) for number, (text, _) in enumerate(TEXTS)))
    land(warehouse, entry(99, 99, "unrelated", full_name="Will Banks"))
    model(warehouse, "history_entries")
    found = rows(
        warehouse,
        "select description, description_pattern from model.history_entries where entry_id < 99 order by entry_id",
    )
    assert [tuple(each.values()) for each in found] == TEXTS


def test_entries_that_no_rule_explains_by_pattern_most_frequent_first(warehouse):
    land(
        warehouse,
        entry(1, 1, "Door 7 broken", name="Door", is_problem=True),
        entry(2, 2, "Lamp of Ada broken", name="Lamp", is_problem=True),
        entry(3, 3, "Door 12 broken", 1, name="Door", is_problem=True),
        entry(4, 4, "Door 13 broken", name="Door"),
        entry(5, 5, "Own note [ref 0123456789ab]", name="Door", is_problem=True),
    )
    warehouse.execute("insert into record.outbox (reference) values ('0123456789ab')")
    model(warehouse, "unrecognised_entries")
    found = rows(
        warehouse,
        "select * exclude (public_name, public_description, first_entry_at, last_entry_at, rules_version)"
        " from model.unrecognised_entries",
    )
    assert [tuple(each.values()) for each in found] == [
        (1, "Door", "Door # broken", True, "other_problem", 2, 2, 1, 3),
        (2, "Lamp", "Lamp of <name> broken", True, "other_problem", 1, 1, 1, 2),
        (3, "Door", "Door # broken", False, "other", 1, 1, 1, 4),
    ]
