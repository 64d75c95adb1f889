"""Figures to the file that analysts open. Nothing is computed here."""
