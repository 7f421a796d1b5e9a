"""Comparisons as tables, LaTeX and flips; runs beside published numbers."""
