"""What people look at: the dashboard and the report. Reads the published file only, and computes no figure."""
