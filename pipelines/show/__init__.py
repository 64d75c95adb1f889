"""The dashboard and the report. Reads only the published file, and computes no figure."""
