"""A study as a file that people can read and write: the data it needs, its steps as commands, what it published.

TOML, read with pydantic: a field that is not known is refused with its line of names, so that nothing that was
written goes unheard. Runs nothing.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.foreign_files import MEGABYTE, parsing, read_foreign

M = TypeVar("M", bound=BaseModel)

COMMANDS = (
    *("dataset", "embed", "evaluate", "robustness", "annotate", "improve", "adapt", "index", "search"),
    *("report", "runs", "doctor"),
)
"""What a step may do: nothing that takes away what is stored."""

UNFIT = (("dataset", "remove"), ("dataset", "rename"), ("runs", "delete"), ("annotate", "serve"))
"""Commands of those groups that are no steps: they take away, rename, or wait for a person."""

WORD = re.compile(r"(?<!\{)\{([a-z_]+)\}(?!\})")
"""A word of a step that is filled in: a role of the data, or one of `FILLED`. {{type}} stands for {type} itself."""

FILLED = ("model", "data", "tag")
"""Beside the roles of the data: the model's options, the folder of the data, and a word that tells what was made with
this model on these data from what was made with others (for names of adapters and tags)."""

SUFFIX = ".toml"


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(_Told):
    """A dataset that a study needs.

    name: in the store. about: what it is and where people have it from. add: the command that adds it, which several
    datasets may share (--make-splits). images,
    captions, fingerprint: what it must have, where the study knows. stands_in: why it is not what the study had, where
    that was never published.
    """

    name: str
    about: str
    add: str
    images: int | None = None
    captions: int | None = None
    fingerprint: str | None = None
    stands_in: str = ""


class Step(_Told):
    """One command, as it is typed after `clipbench`."""

    what: str
    run: str


class Figure(_Told):
    """One published number, and where ours is found.

    data, run, score: a stored run of that role's dataset ("clean", "word-dropout=0.5,seed=42") and its metric
    ("t2i R@1"); model: another than the study's (adapter:NAME). query: SQL with one number for an answer, in place of
    them. hits, of: the published count. any_model: whether it says nothing of the model. note: why an honest figure
    may be another one.
    """

    name: str
    published: float | None
    data: str | None = None
    run: str = "clean"
    score: str | None = None
    model: str | None = None
    query: str | None = None
    hits: int | None = None
    of: int | None = None
    any_model: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> Figure:
        if (self.query is None) == (self.score is None):
            raise ValueError("a figure has a `score` of a run, or a `query`")
        if self.score is not None and self.data is None:
            raise ValueError("a figure with a `score` says of which `data`")
        return self


class Published(_Told):
    """Whose figures they are: an open_clip architecture and tag."""

    architecture: str
    pretrained: str


class Recipe(_Told):
    """A study: title and source, the model it used, its data by role, its steps in order, and its figures.

    mistakes: what is known to be wrong with the publication, a line each.
    """

    title: str
    source: str
    model: str
    published: Published
    data: Annotated[Mapping[str, Data], Field(min_length=1)]
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    figures: tuple[Figure, ...] = ()
    mistakes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        known = {*self.data, *FILLED}
        for text in (*(step.run for step in self.steps), *(data.add for data in self.data.values())):
            unknown = sorted(set(WORD.findall(text)) - known)
            if unknown:
                raise ValueError(
                    f"{{{unknown[0]}}} in {text!r} is no role of the data; there are {sorted(known)}"
                )
            _check_command(text)
        for figure in self.figures:
            if figure.data is not None and figure.data not in self.data:
                raise ValueError(
                    f"figure {figure.name!r} is of {figure.data!r}, which is no role of the data"
                )
        return self


def _check_command(text: str) -> None:
    """Raise ValueError for what is no command of ours, or one that a step may not be."""
    words = shlex.split(text)
    if not words or words[0] not in COMMANDS:
        raise ValueError(f"{text!r} is no step: a step begins with {', '.join(COMMANDS)}")
    if tuple(words[:2]) in UNFIT:
        raise ValueError(f"`{' '.join(words[:2])}` is no step of a study")
    if "--store" in words or any(word.startswith("--store=") for word in words):
        raise ValueError(f"{text!r} names a store; the one that is typed is used")


def names() -> tuple[str, ...]:
    """Return the names of the studies that come along."""
    folder = files("clipbench.study.replicating") / "studies"
    return tuple(
        sorted(one.name.removesuffix(SUFFIX) for one in folder.iterdir() if one.name.endswith(SUFFIX))
    )


def load_recipe(word: str) -> Recipe:
    """Return the study of this name, or of this file.

    Raises ClipbenchError where there is neither, InputError with all that is wrong with a file.
    """
    if word in names():
        text = (files("clipbench.study.replicating") / "studies" / (word + SUFFIX)).read_bytes()
    elif word.endswith(SUFFIX):
        text = read_foreign(Path(word), MEGABYTE)
    else:
        raise ClipbenchError(
            f"there is no study {word!r}; there are {', '.join(names())}",
            "clipbench replicate robustness --dry-run, or a FILE.toml of your own",
        )
    with parsing(word, "TOML file"):
        told = tomllib.loads(text.decode())
    return recipe_of(told, word)


def recipe_of(told: Mapping[str, Any], where: str) -> Recipe:
    """Return what a file says. Raises InputError with all that is wrong with it."""
    return told_by(Recipe, told, f"study {where}")


def told_by(kind: type[M], told: Mapping[str, Any], what: str) -> M:
    """Return what a file says as a record of `kind`. Raises InputError with all that is wrong with it."""
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        where = what.partition(" ")[2]
        problems = [
            Problem(where, 0, f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}")
            for one in error.errors()
        ]
        raise InputError(what, problems, "docs/replicate.md shows a whole file") from error
