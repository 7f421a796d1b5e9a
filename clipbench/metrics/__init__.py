"""Retrieval metrics: ranks by counting, measures as their definitions. Pure: no I/O, no clock, no global state."""
