"""Writing to Nexudus: entries that this program creates on invoices, exactly once or reported as unconfirmed."""
