"""What the hand-written loaders share: one kept-alive connection, page after page of what changed since."""

import httpx

PATH = "/api/billing/coworkerinvoicehistories"
# Column and type of each documented field, as a careful author would write them down for DuckDB.
SCHEMA = {
    "Id": "bigint",
    "UniqueId": "varchar",
    "UpdatedOn": "timestamptz",
    "CreatedOn": "timestamptz",
    "UpdatedBy": "varchar",
    "CoworkerInvoiceId": "bigint",
    "CoworkerInvoiceCoworkerId": "bigint",
    "CoworkerInvoiceBusinessId": "bigint",
    "CoworkerInvoiceBusinessCurrencyCode": "varchar",
    "CoworkerInvoiceCoworkerFullName": "varchar",
    "CoworkerInvoiceTotalAmount": "decimal(18, 4)",
    "CoworkerInvoiceInvoiceNumber": "varchar",
    "CoworkerInvoiceBillToName": "varchar",
    "CoworkerInvoicePaid": "boolean",
    "CoworkerInvoicePaidOn": "timestamptz",
    "CoworkerInvoiceRefunded": "boolean",
    "CoworkerInvoiceRefundedOn": "timestamptz",
    "CoworkerInvoiceDueDate": "timestamptz",
    "CoworkerInvoiceDraft": "boolean",
    "Name": "varchar",
    "Description": "varchar",
    "IsProblem": "boolean",
    "Notify": "boolean",
    "IsNew": "boolean",
    "SystemId": "varchar",
    "ToStringText": "varchar",
    "LocalizationDetails": "json",
    "CustomFields": "json",
}


def pages(base_url, token, page_size, since):
    """The bodies of all pages, in order of UpdatedOn, from an instant on; by number, as the API's page shows it."""
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=120) as client:
        page = 1
        while True:
            params = {"page": page, "size": page_size, "orderBy": "UpdatedOn", "dir": 0}
            if since:
                params["from_CoworkerInvoiceHistory_UpdatedOn"] = f"{since:%Y-%m-%dT%H:%M}"
            body = client.get(f"{base_url}{PATH}", params=params).raise_for_status().content
            yield body
            if b'"HasNextPage":true' not in body[-400:]:
                return
            page += 1


def table(connection):
    """Make the table of all loaders that have no other, and tell the newest UpdatedOn in it."""
    columns = ", ".join(f"{name} {kind}" for name, kind in SCHEMA.items())
    connection.execute(f"create table if not exists histories ({columns})")
    return connection.execute("select max(UpdatedOn) at time zone 'UTC' from histories").fetchone()[0]
