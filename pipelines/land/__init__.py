"""Checked records to the warehouse, one transaction a page, with the ledger of what has been pulled."""
