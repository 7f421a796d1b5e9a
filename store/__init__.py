"""The experiment store: SQLite for what was run and found, HDF5 for vectors. Knows no torch."""
