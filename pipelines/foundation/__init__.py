"""What every stage stands on: private files, where the SQL lives, DuckDB's memory and frames. Imports no stage."""
