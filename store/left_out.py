"""What runs do not rank of their datasets, and why: a smaller gallery gives higher scores.

Left out are images that cannot be used, with their captions, and in runs from before they became distractors
also images without captions. Knows rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from clipbench.store.columns import json_out
from clipbench.store.engine import Store, reading

UNCAPTIONED = "uncaptioned"
"""What a stored protocol says of images without captions; where it says nothing they were not ranked."""

NO_CAPTIONS = "it has no captions"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a run leaves out. images: how many its dataset has. reasons: image id -> why it is not ranked."""

    images: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return bool(self.reasons)


NOTHING = LeftOut()


def left_out(store: Store, runs: Collection[str]) -> dict[str, LeftOut]:
    """Return what each run (by key) leaves out."""
    with reading(store) as connection:
        return left_out_in(connection, runs)


def left_out_in(connection: Connection, runs: Collection[str]) -> dict[str, LeftOut]:
    """Return what `left_out` returns, over a connection."""
    query = (
        "SELECT run.key, run.dataset_id, run.n_images AS ranked, run.protocol, dataset.n_images AS images, "
        "embedding_set.unreadable FROM json_each(:runs) AS wanted JOIN run ON run.key = wanted.value "
        "JOIN dataset ON dataset.id = run.dataset_id JOIN embedding_set ON embedding_set.id = run.image_set_id"
    )
    found: dict[str, LeftOut] = {}
    bare: dict[int, tuple[str, ...]] = {}
    for row in connection.execute(text(query), {"runs": json.dumps(list(runs))}).all():
        reasons = {item["id"]: item["reason"] for item in json_out(row.unreadable)}
        if row.ranked + len(reasons) < row.images and UNCAPTIONED not in json_out(row.protocol):
            if row.dataset_id not in bare:
                bare[row.dataset_id] = _without_captions(connection, row.dataset_id)
            reasons = dict.fromkeys(bare[row.dataset_id], NO_CAPTIONS) | reasons
        found[row.key] = LeftOut(row.images, reasons)
    return found


def _without_captions(connection: Connection, dataset: int) -> tuple[str, ...]:
    query = (
        "SELECT image_id FROM image WHERE dataset_id = :dataset AND position NOT IN "
        "(SELECT image_position FROM caption WHERE dataset_id = :dataset) ORDER BY position"
    )
    return tuple(connection.execute(text(query), {"dataset": dataset}).scalars())
