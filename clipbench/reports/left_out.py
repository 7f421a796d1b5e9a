"""What every table, page and export says of a run whose gallery is smaller than its dataset: by how much, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipbench.keys import short
from clipbench.store.left_out import LeftOut
from clipbench.store.runs import StoredRun

WHY = 3
"""Reasons that a figure has room for."""

NAMED = 5
"""Images, runs and kinds of galleries that a note names; `runs show` and the store have all of them."""


def left_out_notes(runs: Sequence[StoredRun]) -> tuple[str, ...]:
    """Return what is said beneath a table of these runs; nothing where they rank all of their datasets."""
    return notes_of({run.key: run.left_out for run in runs})


def notes_of(found: Mapping[str, LeftOut]) -> tuple[str, ...]:
    """Return what is said of runs by key, a line for those that leave out the same."""
    groups: dict[str, list[str]] = {}
    for key, gone in found.items():
        if gone:
            groups.setdefault(left_out_words(gone), []).append(short(key))
    if list(groups.values()) == [[short(key) for key in found]]:  # of all of them alike
        return tuple(f"left out, with their captions: {words}" for words in groups)
    notes = [f"{_some(keys)} left out, with their captions: {words}" for words, keys in groups.items()]
    if len(notes) > NAMED:
        notes[NAMED:] = [f"and {len(notes) - NAMED:,} more kinds of galleries smaller than their datasets"]
    return tuple(notes)


def left_out_in_figures(runs: Sequence[StoredRun]) -> str:
    """Return a sentence for beneath a figure: of how many images how many are left out, and why; "" for none."""
    galleries = {(run.left_out.images, tuple(run.left_out.reasons.values())) for run in runs if run.left_out}
    found = []
    for images, reasons in sorted(galleries):
        why = [f"{reasons.count(one):,} {one}" for one in dict.fromkeys(reasons)]
        more = ["…"] if len(why) > WHY else []
        found.append(f"{len(reasons):,} of {images:,} images ({', '.join([*why[:WHY], *more])})")
    return f"Left out, with their captions: {'; '.join(found)}." if found else ""


def left_out_words(gone: LeftOut, most: int = NAMED) -> str:
    """Return how many images of how many are left out and the first with their reasons, "" for none."""
    if not gone:
        return ""
    named = [f"{id_} ({reason})" for id_, reason in list(gone.reasons.items())[:most]]
    more = f" and {len(gone.reasons) - most:,} more" if len(gone.reasons) > most else ""
    return f"{len(gone.reasons):,} of {gone.images:,} images: {', '.join(named)}{more}"


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
    noun = "run" if len(keys) == 1 else "runs"
    return f"{noun} {', '.join(keys[:NAMED])}{more}"
