"""What doing a study again takes here: which data are there and right, and which commands are to be run.

Reads the store; runs nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.keys import digest, short
from clipbench.records import Dataset
from clipbench.store.datasets import list_datasets, load_dataset
from clipbench.store.engine import Store
from clipbench.study.replicating.recipe import WORD, Data, Recipe

DRAWN = {
    "scenes": "dataset add scenes --format scenes",
    "catalogue": "dataset add catalogue --format catalogue",
}
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
    """One command.

    words: without `clipbench`. lacking: why it cannot be run here, "" where it can. adds: the datasets that come of it.
    """

    what: str
    words: tuple[str, ...]
    lacking: str = ""
    adds: tuple[str, ...] = ()

    @property
    def made(self) -> tuple[str, ...]:
        """What later steps may need of it: datasets, and a model under its name."""
        named = self.words[self.words.index("--name") + 1] if "--name" in self.words else None
        return self.adds if named is None else (*self.adds, f"adapter:{named}")

    @property
    def line(self) -> str:
        """The command as it is typed."""
        return shlex.join(("clipbench", *self.words))


@dataclass(frozen=True)
class Plan:
    """A study with its words filled in.

    model: words of the model; roles: the name of each role's dataset; replaced: the dataset in place of the study's
    first; tag: the word that stands for {tag}.
    """

    recipe: Recipe
    model: tuple[str, ...]
    roles: Mapping[str, str]
    states: tuple[DataState, ...]
    steps: tuple[PlannedStep, ...]
    replaced: str | None
    tag: str

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
    if asked.on is not None:
        roles[first] = asked.on
        states = [_chosen(store, first, asked.on)]
    else:
        states = [_state(store, role, data) for role, data in recipe.data.items()]
    tag = short(digest("study", [recipe.title, list(model), dict(roles)]), 6)
    words = {**roles, "model": shlex.join(model), "data": str(asked.data or "DATA"), "tag": tag}
    adding = _adding(recipe, states, words, asked)
    ready = {one.name for one in states if one.present}
    ready |= {name for step in adding if not step.lacking for name in step.adds}
    steps, unmade = [*adding], set[str]()
    for step in recipe.steps:
        needed = [roles[role] for role in WORD.findall(step.run) if role in roles]
        command = _filled(step.run, words)
        gone = [name for name in dict.fromkeys(needed) if name not in ready]
        gone += sorted(unmade.intersection(command))
        planned = PlannedStep(step.what, command, f"needs {', '.join(gone)}" if gone else "")
        unmade.update(planned.made if gone else ())
        steps.append(planned)
    return Plan(recipe, model, roles, tuple(states), tuple(steps), asked.on, tag)


def _adding(
    recipe: Recipe, states: Sequence[DataState], words: Mapping[str, str], asked: Asked
) -> list[PlannedStep]:
    """Return the commands that add what the store lacks; several datasets may come of one."""
    found: dict[tuple[str, ...], PlannedStep] = {}
    for state in (one for one in states if not one.present):
        if asked.on is not None:
            found[()] = PlannedStep(
                f"Draw {state.name}", tuple(shlex.split(DRAWN[state.name])), "", (state.name,)
            )
            continue
        lacking = "" if asked.data is not None else f"{state.about}: --data FOLDER says where it is"
        command = _filled(recipe.data[state.role].add, words)
        same = found.get(command)
        adds = (*(same.adds if same else ()), state.name)
        found[command] = PlannedStep(
            f"Add {', '.join(adds)}", command, same.lacking if same else lacking, adds
        )
    return list(found.values())


def _filled(text: str, words: Mapping[str, str]) -> tuple[str, ...]:
    # Split before it is filled in, so that a folder with a space stays one word; the model is several words.
    found: list[str] = []
    for part in shlex.split(text):
        if part == "{model}":
            found += shlex.split(words["model"])
        else:
            filled = WORD.sub(lambda match: words[match[1]], part)
            found.append(filled.replace("{{", "{").replace("}}", "}"))
    return tuple(found)


def _chosen(store: Store, role: str, name: str) -> DataState:
    """Return the state of a dataset that stands in for the study's; a drawn one may be lacking yet."""
    dataset = _stored(store, name)
    if dataset is None:
        if name not in DRAWN:
            raise ClipbenchError(f"there is no dataset {name!r} in the store", "clipbench dataset list")
        return DataState(role, name, "drawn", present=False)
    images, captions = len(dataset.samples), len(dataset.captions)
    return DataState(role, name, "chosen", present=True, images=images, captions=captions)


def _state(store: Store, role: str, data: Data) -> DataState:
    dataset = _stored(store, data.name)
    if dataset is None:
        return DataState(role, data.name, data.about, present=False)
    images, captions = len(dataset.samples), len(dataset.captions)
    faults = [data.stands_in] if data.stands_in else []
    faults += [
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
