"""Writes the figures to the file that analysts open. Computes no figure."""
