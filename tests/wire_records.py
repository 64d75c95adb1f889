"""Records and answers as the API's reference page writes them, for tests that look at single fields."""

import json
from datetime import UTC, datetime

ANSWERED_AT = datetime(2025, 6, 30, 12, tzinfo=UTC)

# Every field of the reference page's example, each with a value.
RECORD = {
    "CoworkerInvoiceId": 61870047,
    "CoworkerInvoiceCoworkerId": 8201345,
    "CoworkerInvoiceBusinessId": 1414970,
    "CoworkerInvoiceBusinessCurrencyCode": "GBP",
    "CoworkerInvoiceCoworkerFullName": "Siobhán O'Brien",
    "CoworkerInvoiceTotalAmount": 149.0,
    "CoworkerInvoiceInvoiceNumber": "INV-000001",
    "CoworkerInvoiceBillToName": "O'Brien Studio Ltd",
    "CoworkerInvoicePaid": True,
    "CoworkerInvoicePaidOn": "2025-01-20T23:10:00Z",
    "CoworkerInvoiceRefunded": False,
    "CoworkerInvoiceRefundedOn": None,
    "CoworkerInvoiceDueDate": "2025-01-15T00:00:00Z",
    "CoworkerInvoiceDraft": False,
    "Name": "Payment Result",
    "Description": "FAILED: Insufficient funds.",
    "IsProblem": True,
    "Notify": False,
    "Id": 87654321,
    "UpdatedOn": "2025-01-15T10:30:00Z",
    "CreatedOn": "2025-01-10T08:00:00Z",
    "UniqueId": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "UpdatedBy": "admin@example.com",
    "IsNew": False,
    "SystemId": None,
    "ToStringText": "CoworkerInvoiceHistory Example",
    "LocalizationDetails": None,
    "CustomFields": None,
}


def wire(**changes: object) -> bytes:
    """A record as bytes of JSON, with some fields changed or added."""
    return json.dumps(RECORD | changes).encode()


def answer(*records: bytes, **envelope: object) -> bytes:
    """A whole search answer around these records."""
    fields = {"CurrentPage": 1, "CurrentPageSize": 25, "TotalItems": len(records), "HasNextPage": False} | envelope
    return b'{"Records": [' + b",".join(records) + b"], " + json.dumps(fields).encode()[1:]
