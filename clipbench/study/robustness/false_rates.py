"""How often hard negatives are ranked first: the numbers that follow from a run's ledger. Pure.

The false rate is the share of images whose highest caption is a copy that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from clipbench.keys import Json
from clipbench.records import Ledger, Metric, Protocol
from clipbench.store.engine import Store
from clipbench.study.evaluation.galleries import Gallery
from clipbench.study.evaluation.protocol import averaged
from clipbench.study.runs.kind_names import FOOLING

KIND = FOOLING
"""As runs are stored: what hard negatives were called at first."""

FALSE_RATE = "false-rate"
OWN_FALSE_RATE = "false-rate-own"


def added_names(store: Store, stored: Mapping[str, Json], gallery: Gallery) -> tuple[str, ...]:
    """Return `OPERATION copy NUMBER` for every copy that a run ranked, by its stored protocol, in order."""
    del store, gallery
    counts = cast("Sequence[tuple[str, int]]", stored["fooling"])
    return tuple(f"{name} copy {number}" for name, count in counts for number in range(1, count + 1))


def false_metrics(ledger: Ledger, stored: Mapping[str, Json], protocol: Protocol) -> list[Metric]:
    """Return the false rate, of all copies and of each operation's, with intervals, and that of a random order.

    An image counts where its highest caption is a copy. Of equal scores the genuine captions count as the
    higher ones, since they stand first in the gallery. stored: the run's protocol as it is stored; it says how
    many captions are genuine, and how many copies each operation added, in the gallery's order.
    """
    genuine = cast("int", stored["genuine"])
    counts = cast("Sequence[tuple[str, int]]", stored["fooling"])
    ends = genuine + np.cumsum([count for _, count in counts])
    place = np.searchsorted(ends, ledger.top1, side="right")
    false = ledger.top1 >= genuine
    columns = [false, *(false & (place == number) for number in range(len(counts)))]
    labels = [FALSE_RATE, *(f"{FALSE_RATE} {name}" for name, _ in counts)]
    table = np.stack(columns, axis=1).astype(np.float64)
    chance = float(ends[-1] - genuine) / ledger.gallery_size
    return [
        *averaged("i2t", labels, table, ledger.cluster, protocol),
        Metric("i2t", f"chance-{FALSE_RATE}", chance, None, None, ledger.queries),
    ]
