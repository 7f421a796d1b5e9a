"""What doing a study again takes here: which data are there and right, and which commands are to be run.

Reads the store; runs nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.records import Dataset
from clipbench.store.datasets import list_datasets, load_dataset
from clipbench.store.engine import Store
from clipbench.study.replicating.recipe import WORD, Data, Recipe

DRAWN = {"scenes": "dataset add scenes --format scenes"}
"""Datasets that need no files."""


@dataclass(frozen=True)
class Asked:
    """How a study is to be done again.

    model: --model and what belongs to it, as typed, None for the study's own. on: a dataset in place of the first of
    the study's, which leaves out what needs the others. data: the folder of the study's files.
    """

    model: tuple[str, ...] | None = None
    on: str | None = None
    data: Path | None = None


@dataclass(frozen=True)
class DataState:
    """One dataset of a study. present: it is in the store. faults: how it is not what the study had."""

    role: str
    name: str
    about: str
    present: bool
    images: int | None = None
    captions: int | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedStep:
    """One command. words: without `clipbench`; lacking: why it cannot be run here, "" where it can."""

    what: str
    words: tuple[str, ...]
    lacking: str = ""

    @property
    def adds(self) -> str | None:
        """The dataset that the command adds, None for any other command."""
        return self.words[2] if self.words[:2] == ("dataset", "add") else None

    @property
    def line(self) -> str:
        """The command as it is typed."""
        return shlex.join(("clipbench", *self.words))


@dataclass(frozen=True)
class Plan:
    """A study with its words filled in. model: words of the model; roles: the name of each role's dataset."""

    recipe: Recipe
    model: tuple[str, ...]
    roles: Mapping[str, str]
    states: tuple[DataState, ...]
    steps: tuple[PlannedStep, ...]
    replaced: str | None

    @property
    def model_words(self) -> tuple[str, str | None]:
        """What follows --model, and what follows --pretrained."""
        words = list(self.model)
        pretrained = words[words.index("--pretrained") + 1] if "--pretrained" in words else None
        return words[words.index("--model") + 1], pretrained


def plan(store: Store, recipe: Recipe, asked: Asked) -> Plan:
    """Return what is to be done. Raises ClipbenchError where the dataset that was asked for is not there."""
    model = asked.model or tuple(shlex.split(recipe.model))
    first = next(iter(recipe.data))
    roles = {role: data.name for role, data in recipe.data.items()}
    states: list[DataState] = []
    adding: list[PlannedStep] = []
    words = {"model": shlex.join(model), "data": str(asked.data or "DATA"), "out": f"replicated-{first}"}
    for role, data in recipe.data.items():
        if asked.on is not None:
            if role == first:
                roles[role] = asked.on
                states.append(_chosen(store, role, asked.on, adding))
            continue
        states.append(_state(store, role, data))
        if not states[-1].present:
            lacking = "" if asked.data is not None else f"{data.about}: --data FOLDER says where it is"
            command = _filled(data.add, {**words, **roles})
            adding.append(PlannedStep(f"Add {data.name}", command, lacking))
    usable = {state.role for state in states}
    unready = {one.role for one, step in _pairs(states, adding) if step.lacking}
    steps = [*adding]
    for step in recipe.steps:
        needs = [role for role in WORD.findall(step.run) if role in recipe.data]
        gone = [role for role in needs if role not in usable or role in unready]
        lacking = f"needs {', '.join(recipe.data[role].name for role in gone)}" if gone else ""
        steps.append(PlannedStep(step.what, _filled(step.run, {**words, **roles}), lacking))
    return Plan(recipe, model, roles, tuple(states), tuple(steps), asked.on)


def _pairs(states: list[DataState], adding: list[PlannedStep]) -> list[tuple[DataState, PlannedStep]]:
    return list(zip([state for state in states if not state.present], adding, strict=True))


def _filled(text: str, words: Mapping[str, str]) -> tuple[str, ...]:
    # Split before it is filled in, so that a folder with a space stays one word; the model is several words.
    found: list[str] = []
    for part in shlex.split(text):
        if part == "{model}":
            found += shlex.split(words["model"])
        else:
            found.append(WORD.sub(lambda match: words[match[1]], part))
    return tuple(found)


def _chosen(store: Store, role: str, name: str, adding: list[PlannedStep]) -> DataState:
    """Return the state of a dataset that stands in for the study's; a drawn one is added where it is lacking."""
    dataset = _stored(store, name)
    if dataset is None:
        if name not in DRAWN:
            raise ClipbenchError(f"there is no dataset {name!r} in the store", "clipbench dataset list")
        adding.append(PlannedStep(f"Draw {name}", tuple(shlex.split(DRAWN[name]))))
        return DataState(role, name, "drawn", present=False)
    return DataState(
        role, name, "chosen", present=True, images=len(dataset.samples), captions=len(dataset.captions)
    )


def _state(store: Store, role: str, data: Data) -> DataState:
    dataset = _stored(store, data.name)
    if dataset is None:
        return DataState(role, data.name, data.about, present=False)
    images, captions = len(dataset.samples), len(dataset.captions)
    faults = [
        f"{count:,} {what}, the study had {wanted:,}"
        for what, count, wanted in (("images", images, data.images), ("captions", captions, data.captions))
        if wanted is not None and count != wanted
    ]
    if data.fingerprint is not None and dataset.fingerprint != data.fingerprint:
        faults.append(f"fingerprint {dataset.fingerprint}, the study's is {data.fingerprint}")
    missing = [sample.id for sample in dataset.samples if sample.problem]
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        faults.append(f"{len(missing):,} photographs are missing ({shown})")
    return DataState(
        role, data.name, data.about, present=True, images=images, captions=captions, faults=tuple(faults)
    )


def _stored(store: Store, name: str) -> Dataset | None:
    names = {one.name for one in list_datasets(store)}
    return load_dataset(store, name) if name in names else None
