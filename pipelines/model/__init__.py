"""Landed rows to figures: the SQL files of `sql/model` and the polars models."""
