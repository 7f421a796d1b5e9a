"""What several views look at, kept for a moment: who turns pages does not read the same ledger each time.

Nothing is kept for longer than `SECONDS`, so that what the command line stores meanwhile is soon seen.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from clipbench.records import Dataset, Direction
from clipbench.reports.ledger import ledger_table
from clipbench.reports.runs import run_list
from clipbench.reports.tables import Table
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.compare import compare_named
from clipbench.study.comparing.comparison import CompareRequest, Comparison
from clipbench.study.comparing.rankings import FirstItems, first_items
from clipbench.study.runs.loaded import LoadedRun, load_run

SECONDS = 30.0
KEPT = 24
"""Things that are kept at a time: vectors of a large run take 100 MB, so there are few of those."""
VECTORS = 2
LONGEST = 600.0
"""Seconds that a comparison is kept: its runs never change, and it takes a while."""

FIRST = 10
"""Items found first that a query shows."""

RESAMPLES = 10_000
"""Resamples of a comparison, as `clipbench report --compare` takes them."""

T = TypeVar("T")


class Kept:
    """The last few things by name, each for a time. Safe for several threads, which may make a thing twice."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._things: OrderedDict[Hashable, tuple[float, object]] = OrderedDict()

    def get(self, name: Hashable, make: Callable[[], T], seconds: float = SECONDS) -> T:
        """Return what is kept under a name, made now where there is none or it is too old."""
        now = self._clock()
        with self._lock:
            until, thing = self._things.get(name, (0.0, None))
            if until > now:
                self._things.move_to_end(name)
                return cast("T", thing)
        made = make()
        with self._lock:
            self._things[name] = (now + seconds, made)
            self._things.move_to_end(name)
            while len(self._things) > self._most:
                self._things.popitem(last=False)
        return made


class Looking:
    """A store as the page looks at it. words: what commands need to find this store, "" for the usual place."""

    def __init__(self, store: Store, words: str = "") -> None:
        self.store = store
        self.words = words
        self._kept = Kept(KEPT)
        self._vectors = Kept(VECTORS)

    def runs(self) -> Table:
        """Return the list of runs as people read it."""
        return self._kept.get("runs", lambda: run_list(self.store, RunFilter()))

    def dataset(self, name: str) -> Dataset:
        """Return a dataset by name or key. Raises DatasetError where there is none."""
        return self._kept.get(("dataset", name), lambda: load_dataset(self.store, name))

    def loaded(self, run: StoredRun) -> LoadedRun:
        """Return a run with its ledgers."""
        return self._kept.get(("run", run.key), lambda: load_run(self.store, run))

    def ledger(self, run: StoredRun, direction: Direction) -> Table:
        """Return a run's ledger of one direction. Raises ClipbenchError where the run has not that one."""
        return self._kept.get(
            ("ledger", run.key, direction), lambda: ledger_table(self.store, self.loaded(run), direction)
        )

    def first_items(self, run: StoredRun, direction: Direction) -> FirstItems:
        """Return what gives the first items of queries. Raises StoreError where they are not known."""
        return self._vectors.get(
            ("first", run.key, direction),
            lambda: first_items(self.store, self.loaded(run), direction, FIRST),
        )

    def comparison(self, runs: tuple[str, ...], flips: int, *, unlike: bool) -> Comparison:
        """Return how runs differ from the first. Raises CompareError for what does not compare."""
        request = CompareRequest(resamples=RESAMPLES, flips=flips, allow_unlike=unlike)
        return self._kept.get(
            ("compare", runs, flips, unlike), lambda: compare_named(self.store, runs, request), LONGEST
        )

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return something else that takes a while, kept like the rest."""
        return self._kept.get(name, make)
