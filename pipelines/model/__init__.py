"""Landed rows become figures: SQL models with their promises, the entry rules, and the polars trend."""
