"""The options of `clipbench search`, in groups: what is asked, where, and how it is shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

import typer

from clipbench.cli import completion
from clipbench.cli.expanding import option, switch
from clipbench.cli.options import ForceOption, OutputOptions
from clipbench.errors import ClipbenchError

if TYPE_CHECKING:
    from clipbench.study.searching.asking import Asked

QUERY, PLACE, LOOK = "What is asked", "Where", "How it is shown"
"""Headings of the help."""


@dataclass(frozen=True)
class QueryOptions:
    """What is asked for besides words."""

    image: list[Path] | None = option(
        "A picture to search by; several times for several.", metavar="FILE", panel=QUERY
    )
    like: list[str] | None = option(
        "A photograph of the dataset to search by; needs no model.", metavar="IMAGE_ID", panel=QUERY
    )
    caption: list[str] | None = option(
        "A stored caption to search by; needs no model.", metavar="ID", panel=QUERY
    )
    without: list[str] | None = option("Words for what shall not be seen.", metavar="WORDS", panel=QUERY)
    weight: list[str] | None = option(
        "What a part counts: words=2, image, like, caption, without. [default: 1, without 0.5]",
        metavar="PART=X",
        panel=QUERY,
    )
    where: str | None = option(
        "Only photographs whose columns say so: \"color = 'Red'\".", metavar="CONDITION", panel=QUERY
    )
    top: int = option("How many to show.", "--top", "-n", default=10, min=1, metavar="N", panel=QUERY)
    min_score: float | None = option(
        "Leave out what scores less; how much is much differs by model.", metavar="X", panel=QUERY
    )

    def empty(self, words: Sequence[str] | None) -> bool:
        """Whether nothing is asked for."""
        return not (words or self.image or self.like or self.caption or self.without)

    def asked(self, words: Sequence[str] | None) -> Asked:
        """Return the query. Raises BadParameter for a weight that is no number, ClipbenchError for no query."""
        from clipbench.study.searching.asking import Asked, check_asked

        asked = Asked(
            words=" ".join(words) if words else None,
            images=tuple(self.image or ()),
            like=tuple(self.like or ()),
            captions=tuple(self.caption or ()),
            without=tuple(self.without or ()),
            weights=dict(_weight(text) for text in self.weight or ()),
            where=self.where,
            top=self.top,
            min_score=self.min_score,
        )
        check_asked(asked)
        return asked


def _weight(text: str) -> tuple[str, float]:
    part, _, number = text.partition("=")
    try:
        return part, float(number)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no weight; --weight words=2") from None


@dataclass(frozen=True)
class PlaceOptions:
    """Where is searched, and by which model."""

    dataset: str | None = option(
        "A stored dataset. [default: the only one]",
        metavar="DATASET",
        panel=PLACE,
        autocompletion=completion.datasets,
    )
    index: str | None = option("A stored index instead of a dataset.", metavar="INDEX", panel=PLACE)
    setting: list[str] | None = option(
        "How the index is asked: ef=128 (hnsw), nprobe=16 (ivf), refine=4.", metavar="NAME=N", panel=PLACE
    )
    model: str | None = option(
        "What it is embedded with, as embed takes it. [default: the only one]",
        "--model",
        "-m",
        metavar="MODEL",
        panel=PLACE,
    )
    server: str | None = option(
        "Ask a running service: the address that it printed.", metavar="URL", panel=PLACE
    )

    def check(self) -> None:
        """Raise BadParameter for places that contradict one another."""
        own = (self.dataset, self.index, self.model, self.setting)
        if self.server is not None and any(own):
            raise typer.BadParameter(
                "a service has its own gallery and model; leave --dataset, --index, --setting and --model out"
            )
        if self.dataset is not None and self.index is not None:
            raise typer.BadParameter("an index is of a dataset; leave --dataset out")
        if self.setting and self.index is None:
            raise typer.BadParameter("--setting goes with --index")

    def settings(self) -> dict[str, int]:
        """Return how the index is asked. Raises BadParameter for what is no whole number."""
        told = {}
        for text in self.setting or ():
            name, _, number = text.partition("=")
            if not number.isdecimal():
                raise typer.BadParameter(f"{text!r} is no setting; --setting ef=128")
            told[name] = int(number)
        return told


@dataclass(frozen=True)
class LookOptions:
    """How what was found is shown."""

    pictures: Literal["auto", "kitty", "iterm", "sixel", "blocks", "none"] = option(
        "auto, kitty, iterm, sixel, blocks, none: pictures in the terminal.",
        default="auto",
        metavar="WAY",
        panel=LOOK,
    )
    paths: bool = switch("Print the paths alone, one a line.", "--paths", panel=LOOK)
    html: Path | None = option("Write a page with the photographs.", metavar="OUT", panel=LOOK)
    open: bool = switch("Show the page in a browser.", "--open", panel=LOOK)
    sheet: Path | None = option("Write a contact sheet, a PNG.", metavar="OUT", panel=LOOK)
    force: ForceOption = False

    def check(self, watch: bool, output: OutputOptions) -> None:
        """Raise BadParameter for options that contradict one another, ClipbenchError for files that cannot be written.

        Before anything is encoded, that is.
        """
        for name, path in (("--html", self.html), ("--sheet", self.sheet)):
            if path is not None:
                _check_free(name, path, force=self.force)
        if self.paths and (output.chosen != "table" or output.names):
            raise typer.BadParameter("--paths prints paths alone; leave --format and --columns out")
        if watch and (self.html or self.sheet or self.open):
            raise typer.BadParameter("--watch prints; leave --html, --sheet and --open out")


def _check_free(option_name: str, path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise ClipbenchError(f"{path} is a folder", f"{option_name} names a file")
    if path.exists() and not force:
        raise ClipbenchError(f"{path} exists", f"--force replaces it, {option_name} names another file")
    if not path.absolute().parent.is_dir():
        raise ClipbenchError(f"there is no folder {path.parent}", f"mkdir -p {quote(str(path.parent))}")


def service_token() -> str | None:
    """Return the token of the service where its address has none: $CLIPBENCH_TOKEN."""
    return os.environ.get("CLIPBENCH_TOKEN")
