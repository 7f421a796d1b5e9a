"""One sitting of an annotator: which failures they see, in what words, and their choices into the store.

Knows nothing of HTTP or HTML: the page, whether served or written as a file, shows what `page_items` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from clipbench.errors import ClipbenchError
from clipbench.failures.items import Assignment, Failure, Task
from clipbench.failures.labels import LabelError, normalise
from clipbench.failures.slices import BACKUP, OVERLAP, check_annotator
from clipbench.failures.suggestions import shown_detail
from clipbench.failures.taxonomy import CATEGORIES, SUBTYPES, choices
from clipbench.keys import Json, short
from clipbench.records import Dataset
from clipbench.store import clock
from clipbench.store.annotations import (
    ADJUDICATOR,
    PERSON,
    Batch,
    NewLabel,
    Source,
    StoredLabel,
    newest_labels,
    save_batches,
)
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import StoredSample, find_sample, latest_assignment, load_suggestions
from clipbench.study.annotation.adjudicate import Conflict, need_conflicts
from clipbench.study.annotation.assign import is_swapped
from clipbench.study.annotation.guide import steps, worded
from clipbench.study.annotation.labels import scope
from clipbench.study.annotation.pictures import BLIND, FOUND, OWN

LONGEST_NOTE = 4000
DESCRIBED = 4
"""Captions that describe a picture to somebody who cannot see it."""


@dataclass(frozen=True)
class Session:
    """A sample that is being labelled. began: names the sitting in the store.

    part: only this part of the assignment. blind, hints: what annotators are told. conflicts: what is shown
    are the failures that annotators disagree on, with their labels, and choices are decisions.
    """

    store: Store
    stored: StoredSample
    dataset: Dataset
    assignment: Assignment | None
    blind: bool
    hints: bool
    part: str | None
    began: str
    conflicts: tuple[Conflict, ...] | None = None

    @property
    def annotators(self) -> tuple[str, ...]:
        """Who was assigned; empty where anybody may label the whole sample, or decide."""
        if self.conflicts is not None:
            return ()
        named = self.assignment.request.get("annotators") if self.assignment else None
        return tuple(str(name) for name in named) if isinstance(named, Sequence) else ()

    @cached_property
    def failures(self) -> Mapping[str, Failure]:
        """The failures of the sample by key."""
        return {item.failure.key: item.failure for item in self.stored.sample.failures}

    @cached_property
    def everything(self) -> tuple[Task, ...]:
        """Every task that anybody may be shown; blind ones with sides swapped, whoever asked for blindness."""
        tasks = self._tasks()
        if not self.blind:
            return tasks
        return tuple(replace(task, swapped=is_swapped(self.stored.key, task.failure)) for task in tasks)

    def _tasks(self) -> tuple[Task, ...]:
        if self.conflicts is not None:
            return tuple(Task("conflicts", conflict.failure) for conflict in self.conflicts)
        if self.assignment is not None:
            return self.assignment.tasks
        return tuple(Task("all", failure) for failure in self.failures.values())

    def tasks(self, annotator: str) -> tuple[Task, ...]:
        """Return what an annotator labels: the overlap and their own part, or the whole sample.

        Raises ClipbenchError for somebody who was not assigned anything, or a name that cannot be one.
        """
        check_annotator(annotator)
        if self.assignment is None or self.conflicts is not None:
            return self.everything
        if annotator not in self.annotators and self.part != BACKUP:
            raise ClipbenchError(
                f"nothing was assigned to {annotator!r}; there are: {', '.join(self.annotators)}",
                "clipbench annotate assign, or serve --part backup",
            )
        wanted = {self.part} if self.part else {OVERLAP, annotator}
        return tuple(task for task in self.everything if task.part in wanted)


def open_session(
    store: Store,
    reference: str = "latest",
    *,
    part: str | None = None,
    blind: bool = False,
    hints: bool = False,
    deciding: bool = False,
) -> Session:
    """Return the session of a sample. blind: also where the assignment says so. deciding: on conflicts.

    Raises StoreError for an unknown sample, ClipbenchError for a part the assignment has not, and where
    there is no conflict to decide.
    """
    stored = find_sample(store, reference)
    assignment = latest_assignment(store, stored.key)
    parts = assignment.parts if assignment else ()
    if part is not None and part not in parts:
        known = ", ".join(parts) or "none, for nobody was assigned"
        raise ClipbenchError(
            f"the sample has no part {part!r}; there are: {known}", "clipbench annotate assign"
        )
    return Session(
        store=store,
        stored=stored,
        dataset=load_dataset(store, stored.sample.dataset),
        assignment=assignment,
        blind=blind or bool(assignment and assignment.blind),
        hints=hints,
        part=part,
        began=clock.stamp(),
        conflicts=need_conflicts(scope(store, stored.key)) if deciding else None,
    )


def people(session: Session) -> list[Json]:
    """Return who may label, with how many failures they have and how many are done."""
    labels = newest_labels(session.store, session.dataset.fingerprint)
    done = {(label.annotator, label.key) for label in labels}
    found: list[Json] = []
    kind = PERSON if session.conflicts is None else ADJUDICATOR
    for name in session.annotators or sorted({label.annotator for label in labels if label.kind == kind}):
        tasks = session.tasks(name)
        ready = sum((name, task.failure.key) in done for task in tasks)
        found.append({"name": name, "total": len(tasks), "done": ready})
    return found


def page_data(session: Session, annotator: str) -> dict[str, Json]:
    """Return everything the page shows to an annotator, their earlier labels included."""
    tasks = session.tasks(annotator)
    labels = {
        label.key: label
        for label in newest_labels(session.store, session.dataset.fingerprint, taken_back=True)
        if label.annotator == annotator
    }
    hints = load_suggestions(session.store, [task.failure.key for task in tasks]) if session.hints else {}
    said = {conflict.failure.key: conflict.words for conflict in session.conflicts or ()}
    items: list[Json] = []
    for task in tasks:
        key = task.failure.key
        told: list[Json] = [
            f"Hint: {hint.category}: {shown_detail(hint, blind=session.blind)}" for hint in hints.get(key, ())
        ]
        told += said.get(key, ())
        items.append({**_shown(session, task), "hints": told, **_labelled(labels.get(key))})
    return {
        "title": f"{session.dataset.name}, sample {short(session.stored.key)}",
        "sample": session.stored.key,
        "annotator": annotator,
        "blind": session.blind,
        **page_words(blind=session.blind),
        "items": items,
    }


def page_words(*, blind: bool) -> dict[str, Json]:
    """Return the choices and the guide in the words of the taxonomy."""
    offered: list[Json] = [
        {
            "key": choice.key,
            "category": choice.category,
            "subtype": choice.subtype,
            "title": choice.title,
            "brief": choice.brief,
        }
        for choice in choices()
    ]
    guide: list[Json] = [
        {
            "name": c.name,
            "long": c.long_name,
            "question": worded(c.question, blind=blind),
            "example": worded(c.example, blind=blind),
        }
        for c in CATEGORIES
    ]
    subtypes: list[Json] = [
        {"name": s.long_name, "question": worded(s.question, blind=blind)} for s in SUBTYPES
    ]
    return {"choices": offered, "steps": list(steps(blind=blind)), "guide": guide, "subtypes": subtypes}


def _shown(session: Session, task: Task) -> dict[str, Json]:
    failure = task.failure
    caption = session.dataset.captions[failure.caption].text
    names = BLIND if session.blind else (OWN, FOUND)
    sides: list[Json] = [
        {"name": name, "alt": f"{name}. {described(session.dataset, place, caption)}"}
        for name, place in zip(names, pair_places(task), strict=True)
    ]
    return {"item": failure.key, "caption": caption, "sides": sides}


def pair_places(task: Task) -> tuple[int, int]:
    """Return the positions of the left and the right picture."""
    own, found = task.failure.image, task.failure.retrieved
    return (found, own) if task.swapped else (own, found)


def described(dataset: Dataset, place: int, but: str) -> str:
    """Return other captions of an image, for somebody who hears the page; not the caption in question."""
    others = [c.text.strip() for c in dataset.samples[place].captions if c.text != but][:DESCRIBED]
    return f"Described as: {' / '.join(others)}" if others else "No other description."


def _labelled(label: StoredLabel | None) -> dict[str, Json]:
    if label is None:
        return {"category": None, "subtype": None, "note": ""}
    return {"category": label.category, "subtype": label.subtype, "note": label.note}


def choose(
    session: Session, annotator: str, item: str, given: tuple[str | None, str | None], note: str = ""
) -> None:
    """Store one choice (category, subtype) at once; no category takes the annotator's label back.

    Raises ClipbenchError for a failure that is not among theirs, or words that are no label.
    """
    mine = {task.failure.key: task.failure for task in session.tasks(annotator)}
    if item not in mine:
        raise ClipbenchError(f"{item[:60]!r} is none of the failures of {annotator}")
    if len(note) > LONGEST_NOTE:
        raise ClipbenchError(f"a note has at most {LONGEST_NOTE} characters, this one {len(note)}")
    try:
        label = normalise(*given, offered=True)
    except LabelError as error:
        raise ClipbenchError(str(error)) from error
    category, subtype = (label.category, label.subtype) if label else (None, None)
    new = NewLabel(mine[item], category, subtype, given[0] or "", given[1] or "", (), note)
    source = Source("page", f"page {session.began}")
    kind = PERSON if session.conflicts is None else ADJUDICATOR
    save_batches(session.store, [Batch(annotator, source, session.dataset.key, (new,), kind)])
