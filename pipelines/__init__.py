"""Nexudus invoice history, from the API to figures that finance can quote: extract, land, model, publish, show."""
