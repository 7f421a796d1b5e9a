"""Intervals, paired tests, corrections and agreement. Pure: no I/O, no clock, no global state."""
