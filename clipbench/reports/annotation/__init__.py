"""Samples, labels and agreement as tables, figures and a page."""
