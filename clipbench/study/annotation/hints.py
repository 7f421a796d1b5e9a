"""Hints for a sample: what differs in words, and pictures that look or embed nearly the same. Never labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from clipbench.errors import PhotographError
from clipbench.failures.items import FailureSample
from clipbench.failures.suggestions import (
    HASH_SIDE,
    Suggestion,
    Vocabulary,
    difference_hash,
    from_captions,
    from_hashes,
    from_similarity,
)
from clipbench.perturb.inflect import with_ing, with_s
from clipbench.perturb.word_lists import COLOURS, COUNTS, NOUN_EXCEPTIONS, SPATIAL, VERBS
from clipbench.photographs.opening import colours, photograph
from clipbench.records import Dataset
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import find_set, load_vectors
from clipbench.store.engine import Store, transaction
from clipbench.store.failures import StoredSample, has_sample, load_suggestions, save_sample, save_suggestions
from clipbench.store.runs import StoredRun
from clipbench.study.annotation.sampling import SampleRequest, drawn_from
from clipbench.study.workplace.progress import Progress

SAME_COLOURS: Mapping[str, str] = {"grey": "gray", "golden": "gold", "blonde": "blond"}
"""Spellings that name one colour."""


@cache
def english() -> Vocabulary:
    """Return the words of number, colour, place and action that captions in English use."""
    numbers = {word: number for number, word in enumerate(COUNTS, start=2)}
    numbers |= {str(number): number for number in range(2, 101)}
    # Forms that are mostly nouns ("a painting", "waves") say nothing of what is done.
    actions = {form: verb for verb in sorted(VERBS) for form in (with_ing(verb), with_s(verb))}
    actions = {form: verb for form, verb in actions.items() if form not in NOUN_EXCEPTIONS}
    return Vocabulary(
        numbers=numbers,
        colours={word: SAME_COLOURS.get(word, word) for word in COLOURS},
        places=SPATIAL,
        action=actions.get,
    )


def draw_with_hints(store: Store, run: StoredRun, request: SampleRequest, progress: Progress) -> StoredSample:
    """Draw failures of a run, look for hints, and store manifest and hints together.

    A sample that was drawn before without a hint (it was told to be, or an older version was killed between
    the two) gets its hints now. Raises as `drawn_from` does.
    """
    sample = drawn_from(store, run, request)
    if has_sample(store, sample.key) and any(load_suggestions(store, _keys(sample)).values()):
        return save_sample(store, sample)
    hints = find_hints(store, sample, run, progress)  # which takes long, so not while others cannot write
    with transaction(store) as whole:
        stored = save_sample(whole, sample)
        save_suggestions(whole, hints)
    return stored


def _keys(sample: FailureSample) -> list[str]:
    return [item.failure.key for item in sample.failures]


def suggest(store: Store, sample: FailureSample, run: StoredRun | None, progress: Progress) -> int:
    """Look for hints on every failure of a stored sample and store them; return how many are new."""
    return save_suggestions(store, find_hints(store, sample, run, progress))


def find_hints(
    store: Store, sample: FailureSample, run: StoredRun | None, progress: Progress
) -> dict[str, Sequence[Suggestion]]:
    """Return the hints on every failure of a sample, by its key; nothing is stored.

    run: whose picture embeddings are compared, None for none. A photograph that cannot be read gives no hint.
    """
    dataset = load_dataset(store, sample.dataset)
    similar = _similarities(store, sample, run, dataset)
    bar = progress.start("hints", len(sample.failures))
    hashes: dict[int, int | None] = {}
    found: dict[str, Sequence[Suggestion]] = {}
    for item in sample.failures:
        failure = item.failure
        said = dataset.captions[failure.caption].text
        others = [caption.text for caption in dataset.samples[failure.retrieved].captions]
        hints = [*from_captions(said, others, english()), *similar.get(failure.key, ())]
        pair = [_hash(dataset, place, hashes) for place in (failure.image, failure.retrieved)]
        if pair[0] is not None and pair[1] is not None:
            hints += from_hashes(pair[0], pair[1])
        found[failure.key] = hints
        progress.advance(bar, 1)
    return found


def _similarities(
    store: Store, sample: FailureSample, run: StoredRun | None, dataset: Dataset
) -> dict[str, tuple[Suggestion, ...]]:
    images = None if run is None else find_set(store, run.spec.images)
    if images is None:
        return {}
    vectors = load_vectors(store, images)
    usable = [s.id for s in dataset.samples if s.id not in images.unreadable]
    rows = {id_: row for row, id_ in enumerate(usable)}
    found = {}
    for item in sample.failures:
        own, other = rows.get(item.failure.image_id), rows.get(item.failure.retrieved_id)
        if own is not None and other is not None:
            found[item.failure.key] = from_similarity(float(vectors[own] @ vectors[other]))
    return found


def _hash(dataset: Dataset, place: int, known: dict[int, int | None]) -> int | None:
    """Return the difference hash of an image, None where there is no photograph that can be read."""
    if place not in known:
        sample = dataset.samples[place]
        known[place] = None
        if dataset.image_folder is not None and sample.path is not None and sample.problem is None:
            try:
                with photograph(dataset.image_folder / sample.path, sample.digest) as image:
                    small = colours(image).convert("L").resize((HASH_SIDE + 1, HASH_SIDE))
                    known[place] = difference_hash(np.asarray(small))
            except PhotographError:
                known[place] = None  # a photograph that went away gives no hint; labelling goes on
    return known[place]
