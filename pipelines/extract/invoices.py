"""Invoices, CoworkerInvoice: their description. Nothing secret, no bank detail and no address is read from them.

Of card, mandate and contract numbers only whether they are there; what no figure needs is not kept at all, in the raw
JSON neither. Source: the API's page on invoices, and what live accounts were seen to answer.
"""

from datetime import datetime
from decimal import Decimal

from pipelines.extract.axes import Axis
from pipelines.extract.entity import Entity, Lookup
from pipelines.extract.records import Contract, Int64, Record

_PRESENCE = {
    "has_go_cardless_reference": "GoCardlessReference",
    "has_spreedly_token": "SpreedlyToken",
    "has_go_cardless_contract": "CoworkerGoCardlessContractNumber",
    "has_regular_payment_contract": "CoworkerRegularPaymentContractNumber",
    "has_card": "CoworkerCardNumber",
}


def _wire_name(column: str) -> str:
    return _PRESENCE.get(column) or "".join(word.capitalize() for word in column.split("_"))


class InvoiceRecord(Record, rename=_wire_name, kw_only=True):
    """One invoice as the API answered it. What of a payment or a credit is applied later need not move `updated_on`.

    `credit_note` is set on ordinary invoices too; `due_amount` may be absent; `refunded_amount` can stay 0 after a
    refund. The `has_*` fields of the invoice say how it was collected, those of the customer what there is now.
    """

    coworker_id: Int64 | None = None
    coworker_full_name: str | None = None
    business_id: Int64 | None = None
    business_name: str | None = None
    invoice_number: str | None = None
    bill_to_name: str | None = None
    total_amount: Decimal | None = None
    tax_amount: Decimal | None = None
    discount_amount: Decimal | None = None
    paid_amount: Decimal | None = None
    credited_amount: Decimal | None = None
    refunded_amount: Decimal | None = None
    received_amount: Decimal | None = None
    due_amount: Decimal | None = None
    currency_code: str | None = None
    currency_id: Int64 | None = None
    transaction_total_amount: Decimal | None = None
    transaction_currency_code: str | None = None
    transaction_exchange_rate: float | None = None
    draft: bool | None = None
    void: bool | None = None
    paid: bool | None = None
    paid_on: datetime | None = None
    refunded: bool | None = None
    refunded_on: datetime | None = None
    sent: bool | None = None
    sent_on: datetime | None = None
    due_date: datetime | None = None
    invoice_from_date: datetime | None = None
    invoice_to_date: datetime | None = None
    credit_note: bool | None = None
    original_invoice_guid: str | None = None
    last_payment_attempt: datetime | None = None
    has_go_cardless_reference: bool | None = None
    has_spreedly_token: bool | None = None
    coworker_enable_go_cardless_payments: bool | None = None
    has_go_cardless_contract: bool | None = None
    has_regular_payment_contract: bool | None = None
    has_card: bool | None = None
    coworker_regular_payment_provider: str | None = None
    coworker_do_not_process_invoices_automatically: bool | None = None
    storecove_invoice_status: Int64 | None = None


INVOICES = Entity(
    name="CoworkerInvoice",
    noun="invoices",
    path="/api/billing/coworkerinvoices",
    contract=Contract(InvoiceRecord, presence_only=_PRESENCE.values(), keeps_undocumented=False),
    table="coworker_invoices",
    versions_table="coworker_invoice_versions",
    lookup=Lookup("id", "id", most_keys=100),
    further_axes=(Axis("PaidOn", "paid_on"),),
    business_column="business_id",
    person_column="coworker_id",
    people_columns=("coworker_full_name", "bill_to_name", "updated_by"),
)
WITHOUT_INVOICES = (
    "voided, credited and part-paid invoices count as open with their whole amount, and how an invoice was collected "
    "is known from the wording of its entries only"
)
"""What is missing where invoices are not read."""
