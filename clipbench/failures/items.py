"""The nouns of the failure loop: what went wrong, what was drawn, who labels what.

Identity is content here too: a failure is its dataset, caption, own image and retrieved image, whichever
run it was drawn from, so a label given once serves every run that fails in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clipbench.failures.sampling import Stratum
from clipbench.keys import Json, digest
from clipbench.records import Direction

FAILURE, CONTROL = "failure", "control"


@dataclass(frozen=True, slots=True)
class Failure:
    """A caption that was taken for another image than its own.

    fingerprint: of the dataset. `caption_id` belongs to `image_id`. t2i: the caption found image
    `retrieved_id`. i2t: the image `retrieved_id` found the caption. Either way people ask how the caption
    can be taken for that image. caption, image, retrieved: positions in the dataset, no part of the identity.
    """

    fingerprint: str
    direction: Direction
    caption_id: str
    image_id: str
    retrieved_id: str
    caption: int
    image: int
    retrieved: int

    @property
    def key(self) -> str:
        """Digest of everything but the positions."""
        ids: list[Json] = [self.fingerprint, self.direction, self.caption_id, self.image_id]
        return digest("failure", [*ids, self.retrieved_id])


@dataclass(frozen=True, slots=True)
class SampledFailure:
    """A failure (or a success, role "control") as a run scored it.

    rank: of the best positive, expected value where tied. positive_score: of the best positive,
    negative_score: of the best other.
    """

    failure: Failure
    role: str
    stratum: str
    rank: float
    positive_score: float
    negative_score: float

    @property
    def margin(self) -> float:
        """Score of the best positive less that of the best other: negative for a failure."""
        return self.positive_score - self.negative_score


@dataclass(frozen=True)
class FailureSample:
    """Failures drawn from a run, in the order of the draw, controls last. dataset: its key.

    population: failures there were. request: everything that determined the draw.
    """

    run: str
    dataset: str
    direction: Direction
    request: Mapping[str, Json]
    strata: tuple[Stratum, ...]
    population: int
    items: tuple[SampledFailure, ...]

    @property
    def key(self) -> str:
        """Digest of the run and the request: the same request finds the stored sample."""
        return digest("sample", [self.run, self.request])

    @property
    def failures(self) -> tuple[SampledFailure, ...]:
        """The drawn failures without the controls."""
        return tuple(item for item in self.items if item.role == FAILURE)

    @property
    def stratified(self) -> bool:
        """Whether the draw favours some strata, so that shares of the sample are none of the population."""
        return len({round(stratum.weight, 9) for stratum in self.strata if stratum.drawn}) > 1


@dataclass(frozen=True, slots=True)
class Task:
    """One failure in somebody's part. swapped: the caption's own picture stands on the right (blind only)."""

    part: str
    failure: Failure
    swapped: bool = False


@dataclass(frozen=True)
class Assignment:
    """Who labels which failures of a sample (by key). request: names, sizes, blind or not."""

    sample: str
    request: Mapping[str, Json]
    tasks: tuple[Task, ...] = field(default=())

    @property
    def key(self) -> str:
        """Digest of the sample and the request."""
        return digest("assignment", [self.sample, self.request])

    @property
    def blind(self) -> bool:
        """Whether annotators are not told which picture is the caption's own."""
        return bool(self.request.get("blind"))

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts in order: the overlap, each annotator's own, the backup."""
        return tuple(dict.fromkeys(task.part for task in self.tasks))
