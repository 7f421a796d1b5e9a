"""Annotators that are simulated on the drawn scenes, whose true reasons of failure are known.

They follow the truth and now and then pick another category, so the whole loop can be tried without people,
and agreement must come out near what the noise implies. Stored as simulated, never as people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.demo.scenes import collection as scenes
from clipbench.demo.scenes.truth import true_label
from clipbench.errors import ClipbenchError
from clipbench.failures.items import Failure
from clipbench.failures.slices import check_annotator
from clipbench.failures.taxonomy import AMBIGUOUS, NAMES, UNDERSPECIFIED
from clipbench.perturb.streams import stream
from clipbench.store.annotations import SIMULATED, Batch, NewLabel, Saved, Source, save_batches
from clipbench.store.engine import Store
from clipbench.study.annotation.session import Session

SCENES = "scenes"


@dataclass(frozen=True, slots=True)
class Truth:
    """Why a caption of the drawn scenes was taken for another scene."""

    category: str
    subtype: str | None


def truths(session: Session) -> Mapping[str, Truth]:
    """Return the true label of every failure of a session, by key.

    Raises ClipbenchError for a dataset that is not drawn, DatasetError where its scenes are gone.
    """
    dataset = session.dataset
    if dataset.format != SCENES:
        raise ClipbenchError(
            f"{dataset.name} is no drawn collection, so nobody knows the true reasons",
            "clipbench dataset add scenes --format scenes",
        )
    folder = session.store.home.artifacts / SCENES
    known = {scene.id: scene for scene in scenes.scenes(folder, dataset.split)}
    found = {}
    for key, failure in session.failures.items():
        own, other = known[failure.image_id], known[failure.retrieved_id]
        says = own.captions[int(failure.caption_id.rpartition("#")[2])].says
        found[key] = Truth(*true_label(says, other.graph, same_family=own.family == other.family))
    return found


def simulate(
    store: Store, session: Session, annotators: Sequence[str], noise: float, seed: int = 0
) -> tuple[Saved, ...]:
    """Store labels of simulated annotators on what each was assigned.

    noise: chance in 0..1 that a label is another category, all others equally likely. A label depends on
    (seed, annotator, failure) alone. Raises ClipbenchError as `truths`, and for noise outside 0..1.
    """
    if not 0 <= noise <= 1:
        raise ClipbenchError(f"noise is a chance from 0 to 1, got {noise}", "--noise 0.2")
    true = truths(session)
    source = Source("simulated", f"simulated with noise {noise:g} and seed {seed}")
    batches = []
    for name in annotators:
        tasks = session.tasks(check_annotator(name))
        labels = tuple(_label(task.failure, true[task.failure.key], noise, (seed, name)) for task in tasks)
        batches.append(Batch(name, source, session.dataset.key, labels, SIMULATED))
    return save_batches(store, batches)


def _label(failure: Failure, truth: Truth, noise: float, who: tuple[int, str]) -> NewLabel:
    seed, name = who
    drawn = stream(f"simulated annotator {name}", seed, failure.key)
    category, subtype = truth.category, truth.subtype
    if drawn.uniform() < noise:
        category = drawn.choice([other for other in NAMES if other != truth.category])
        subtype = UNDERSPECIFIED if category == AMBIGUOUS else None
    return NewLabel(failure, category, subtype, category, subtype or "")


def expected_agreement(noise: float) -> float:
    """Return the chance that two simulated annotators agree: both right, or both wrong in the same way.

    >>> round(expected_agreement(0.2), 4)
    0.6467
    """
    return (1 - noise) ** 2 + noise**2 / (len(NAMES) - 1)
