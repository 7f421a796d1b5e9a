"""The Python door: stores, their commands as methods, and results that print, count and draw themselves."""
