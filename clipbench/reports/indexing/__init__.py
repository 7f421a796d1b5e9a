"""Indexes as tables, figures and words."""
