"""The one shared random stream of the study that clipbench replicates, word for word.

There a single `random.Random(42)` ran through all captions and all dropout levels in order, so a
caption's words depend on every caption and level before it. That is kept here only to reproduce
published numbers; every other operation draws per caption.

Assumptions, where the publication leaves room: the level 0 consumes numbers like any other, and captions
are joined by single spaces at every level. The shuffle was a run of its own in another process, so it starts
afresh from the same seed ("fresh"). Earlier versions let it continue the dropout's generator ("shared"), and
what they stored still says so. A caption without words stays empty and draws nothing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipbench.errors import ClipbenchError
from clipbench.keys import Json
from clipbench.records import Perturbation

SOURCE_RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
ShuffleStream: TypeAlias = Literal["shared", "fresh"]


@dataclass(frozen=True, slots=True)
class LegacyStream:
    """The order in which one generator serves the dropout: `rates` one after another; the shuffle has its own.

    shuffle: whether the shuffle has a fresh generator of the same seed, or continues that one.
    """

    seed: int = 42
    rates: tuple[float, ...] = SOURCE_RATES
    shuffle: ShuffleStream = "fresh"

    def parameters(self, *operations: str) -> dict[str, Json]:
        """Return what a stored setting of these operations must say of the stream.

        The dropout does not depend on the shuffle, and is found again where earlier versions stored it.
        """
        shuffle = self.shuffle if "word-shuffle" in operations else "shared"
        return {"stream": "legacy", "rates": list(self.rates), "shuffle": shuffle}


SOURCE_STUDY = LegacyStream()


def legacy_texts(
    texts: Sequence[str], operation: str, level: float, legacy: LegacyStream = SOURCE_STUDY
) -> tuple[str, ...]:
    """Return all captions under one of the two operations that the stream covers, by its name.

    Raises ClipbenchError for any other operation, and for a level that the stream does not have.
    """
    if operation == "word-dropout":
        return legacy_dropout(texts, level, legacy)
    if operation == "word-shuffle":
        return legacy_shuffle(texts, legacy)
    raise ClipbenchError(
        f"the legacy stream covers word-dropout and word-shuffle, not {operation}",
        "run without the legacy stream",
    )


def legacy_perturbation(operation: str, level: float, legacy: LegacyStream = SOURCE_STUDY) -> Perturbation:
    """Return the record of one setting of the legacy stream."""
    return Perturbation(operation, "text", level, legacy.seed, legacy.parameters(operation))


def legacy_dropout(texts: Sequence[str], rate: float, legacy: LegacyStream = SOURCE_STUDY) -> tuple[str, ...]:
    """Return all captions at one rate, after the rates before it were drawn.

    `texts` are all captions of the split in their order. Raises ClipbenchError for a rate that is not
    in the list.
    """
    if rate not in legacy.rates:
        listed = ", ".join(map(str, legacy.rates))
        raise ClipbenchError(
            f"the legacy stream has the rates {listed}, not {rate}: each depends on those before it",
            "run without the legacy stream, where every rate stands alone",
        )
    generator = random.Random(legacy.seed)  # noqa: S311 - reproduces published corruptions, no secret
    kept: tuple[str, ...] = ()
    for one in legacy.rates[: legacy.rates.index(rate) + 1]:
        kept = tuple(_dropped(text, one, generator) for text in texts)
    return kept


def legacy_shuffle(texts: Sequence[str], legacy: LegacyStream = SOURCE_STUDY) -> tuple[str, ...]:
    """Return all captions shuffled; those of two words or fewer stay as they are and draw nothing."""
    generator = random.Random(legacy.seed)  # noqa: S311 - reproduces published corruptions, no secret
    if legacy.shuffle == "shared":
        for rate in legacy.rates:
            for text in texts:
                _dropped(text, rate, generator)
    return tuple(_shuffled(text, generator) for text in texts)


def _dropped(text: str, rate: float, generator: random.Random) -> str:
    words = text.split()
    kept = [word for word in words if generator.random() > rate]
    if words and not kept:
        kept = [generator.choice(words)]
    return " ".join(kept)


def _shuffled(text: str, generator: random.Random) -> str:
    words = text.split()
    if len(words) <= 2:
        return text
    generator.shuffle(words)
    return " ".join(words)
