"""Stored runs against each other, and against published numbers."""
