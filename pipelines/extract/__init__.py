"""HTTP to checked records. Knows the API and nothing of DuckDB or Dagster."""
