"""The names in a store, read with the standard library alone: for the shell, which asks at every Tab.

Nothing is created, upgraded or changed, and a store that cannot be read has no names.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from clipbench.home import Home

QUERIES = {
    "datasets": "SELECT name FROM dataset_name ORDER BY name",
    "runs": "SELECT substr(run, instr(run, ':') + 1, 10), dataset, model, operation FROM runs ORDER BY number DESC",
    "indexes": "SELECT name, type FROM vector_index ORDER BY id DESC",
    "sweeps": "SELECT name FROM sweep ORDER BY id DESC",
    "tags": "SELECT DISTINCT tag FROM tag ORDER BY tag",
}
"""What can be asked for; runs by the beginning of their key with what they are of, the newest first."""

PATIENCE = 0.2
"""Seconds to wait for a store that is being written."""


def names(home: Home, kind: str) -> list[tuple[str, str]]:
    """Return (name, what it is) of everything of a kind of QUERIES; none where the store cannot be read."""
    if not home.database.is_file():
        return []
    try:
        with closing(
            sqlite3.connect(f"{home.database.as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
        ) as connection:
            rows = connection.execute(QUERIES[kind]).fetchall()
    except sqlite3.Error:  # of another version, or being written: then there is nothing to complete
        return []
    return [(str(row[0]), " ".join(map(str, row[1:]))) for row in rows]
