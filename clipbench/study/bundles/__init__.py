"""Runs as one file, to check a result elsewhere: written, read back, believed only as far as it follows."""
