"""An invoice as its own list writes it, with the oddities of live accounts, and with secrets and bank details."""

from decimal import Decimal
from typing import Any

from pipelines.sandbox.entities import DECIMALS, Invoice
from pipelines.sandbox.faults import share_of
from pipelines.sandbox.wire import instant, unique_id

CANARY = "CANARY"
"""In every value of a record that is a secret or a bank detail."""
_DAY = 86_400
# The flag is also set on ordinary invoices that are collected by direct debit.
_FLAGGED_AS_CREDIT_NOTE, _WITHOUT_DUE_AMOUNT, _REFUND_NOT_SHOWN = 0.4, 0.3, 0.5


def invoice_record(invoice: Invoice) -> dict[str, Any]:
    """The whole record as Python values (Decimal, datetime); also the ground truth of it."""
    member, business = invoice.member, invoice.member.business

    def money(amount: int) -> Decimal:
        return Decimal(amount).scaleb(-DECIMALS[business.currency_code])

    def happens(share: float, name: str) -> bool:
        return share_of(0, name, invoice.id) < share

    is_paid, is_refunded = invoice.paid_on is not None, invoice.refunded_on is not None
    paid = invoice.amount if is_paid else invoice.part_paid
    is_debit, is_card = invoice.way == "debit", invoice.way == "card"
    was_collected = invoice.last_attempt_on is not None
    record = {
        "Id": invoice.id,
        "UniqueId": unique_id(invoice.id),
        "UpdatedOn": instant(invoice.updated_on),
        "CreatedOn": instant(invoice.created_on),
        "UpdatedBy": "[System]",
        "CoworkerId": member.id,
        "CoworkerFullName": member.full_name,
        "CoworkerBillingEmail": f"{CANARY}-{member.email}",
        "CoworkerCompanyName": member.bill_to_name,
        "BusinessId": business.id,
        "BusinessName": business.name,
        "InvoiceNumber": invoice.number,
        "BillToName": member.bill_to_name,
        "BillToAddress": f"{CANARY} street {member.id % 90}",
        "BillToBankAccount": f"{CANARY}-bank-{member.id}",
        "BillToTaxIDNumber": f"{CANARY}-tax-{member.id}",
        "TotalAmount": money(invoice.amount),
        "TaxAmount": money(invoice.amount // 6),
        "DiscountAmount": money(0),
        "PaidAmount": money(paid),
        "CreditedAmount": money(invoice.credited),
        "RefundedAmount": money(paid) if is_refunded and not happens(_REFUND_NOT_SHOWN, "refund shown") else money(0),
        "ReceivedAmount": money(paid),
        "CurrencyCode": business.currency_code,
        "CurrencyId": 1000 + sum(map(ord, business.currency_code)),
        "TransactionTotalAmount": None,
        "TransactionCurrencyCode": None,
        "TransactionExchangeRate": None,
        "Draft": invoice.draft,
        "Void": invoice.void,
        "Paid": is_paid,
        "PaidOn": instant(invoice.paid_on),
        "Refunded": is_refunded,
        "RefundedOn": instant(invoice.refunded_on),
        "Sent": not invoice.draft,
        "SentOn": None if invoice.draft else instant(invoice.created_on + 4),
        "DueDate": instant(invoice.due_on),
        "InvoiceFromDate": instant(invoice.created_on),
        "InvoiceToDate": instant(invoice.created_on + 30 * _DAY),
        "CreditNote": invoice.credits is not None
        or (is_debit and happens(_FLAGGED_AS_CREDIT_NOTE, "credit note flag")),
        "OriginalInvoiceGuid": None if invoice.credits is None else unique_id(invoice.credits.id),
        "LastPaymentAttempt": instant(invoice.last_attempt_on),
        "GoCardlessReference": f"{CANARY}-PM{invoice.id}" if is_debit and was_collected else None,
        "SpreedlyToken": f"{CANARY}-token-{invoice.id}" if is_card and was_collected else None,
        "CoworkerEnableGoCardlessPayments": is_debit,
        "CoworkerGoCardlessContractNumber": f"{CANARY}-MD{member.id}" if is_debit else None,
        "CoworkerRegularPaymentContractNumber": f"{CANARY}-{member.id}" if is_card else "",
        "CoworkerCardNumber": f"{CANARY}-{member.id % 10_000:04d}" if is_card else None,
        "CoworkerRegularPaymentProvider": "GoCardless",
        "CoworkerDoNotProcessInvoicesAutomatically": invoice.way == "transfer",
        "StorecoveInvoiceStatus": 1,
    }
    if not happens(_WITHOUT_DUE_AMOUNT, "due amount absent"):
        record["DueAmount"] = money(0 if invoice.draft else invoice.due)
    return record
