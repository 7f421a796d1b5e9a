"""Where the time of workers goes."""

from __future__ import annotations

import time

from clipbench.study.cluster.worker import Written
from clipbench.wording import plural


class Account:
    """Counts the seconds that workers were there, and what they did with them."""

    def __init__(self) -> None:
        self._seen = 0.0
        self._began: float | None = None
        self._first: float | None = None
        self._present = self._encoding = self._writing = 0.0
        self._most = 0
        self._shards = 0

    def passed(self, workers: int) -> None:
        """Count the time since the last call for so many workers that were ready."""
        now = time.monotonic()
        self._present += workers * (now - self._seen)
        self._seen = now
        self._most = max(self._most, workers)

    def resumed(self) -> None:
        """Go on after a time that no worker had anything to do in, which is not counted."""
        self._seen = time.monotonic()
        self._began = self._began or self._seen

    def delivered(self, written: Written) -> None:
        """Count a shard."""
        self._shards += 1
        self._encoding += written.encoding
        self._writing += written.writing
        if self._first is None and self._began is not None:
            self._first = time.monotonic() - self._began

    def words(self) -> str | None:
        """Return where the time went, None where nothing was made."""
        if self._first is None:
            return None
        present = max(self._present, self._encoding + self._writing, 1e-9)
        encoding, writing = self._encoding / present, self._writing / present
        return (
            f"{plural(self._shards, 'shard')} by up to {plural(self._most, 'worker')}, the first after {self._first:.0f} s; their time: "
            f"{encoding:.0%} reading and encoding, {writing:.0%} writing files, {1 - encoding - writing:.0%} waiting"
        )
