"""The write-back: entries that this program creates on invoices, each surely once, or said to be unsure."""
