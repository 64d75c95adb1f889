"""A chargeback counts for the payment that it takes back, in the month in which that succeeded."""

from given import NO_FUNDS, SUCCESS, entry, land, model, rows

BACK = "The customer charged back the payment with their bank."


def test_chargebacks_on_successes_by_the_month_of_the_payment(warehouse):
    land(
        warehouse,
        *(entry(number, number, SUCCESS) for number in range(1, 5)),
        entry(10, 1, BACK, 45),
        entry(11, 1, BACK, 46),  # the same payment, told again
        entry(12, 2, BACK, -1),  # before any success
        entry(13, 9, NO_FUNDS),
        entry(14, 9, BACK, 2),  # nothing was collected
        entry(15, 5, SUCCESS, 40, currency=None),
    )
    model(warehouse, "monthly_chargeback_rates")
    found = rows(warehouse, "select * exclude (rules_version, business_id) from model.monthly_chargeback_rates")
    assert [tuple(each.values())[2:] for each in found] == [(4, 1, 1 / 4), (1, 0, 0)]
    assert [f"{each['currency_code']} {each['month_start_date']}" for each in found] == [
        "GBP 2025-03-01",
        "None 2025-04-01",
    ]
