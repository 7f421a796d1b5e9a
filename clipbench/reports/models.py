"""Tables about models: those on this machine, and the names that open_clip knows."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.reports.stores import size
from clipbench.reports.tables import Cell, Column, Table
from clipbench.study.installation.models_here import LocalModel, UsualModel

TYPED = (Column("model", "--model"), Column("pretrained", "--pretrained"))


def local_table(models: Sequence[LocalModel], word: str = "", *, wide: bool = False) -> Table:
    """Return the models on this machine. word: that they were asked for by. wide: sizes in bytes."""
    rows = tuple((one.model, one.pretrained, _sized(one.bytes, wide=wide), one.what) for one in models)
    columns = (*TYPED, Column("bytes", "size", right=True), Column("what"))
    title = f"On this machine, like {word!r}" if word else "On this machine"
    return Table(title, columns, rows, empty="none; clipbench models lists all that are")


def usual_table(models: Sequence[UsualModel], *, wide: bool = False) -> Table:
    """Return published models that people often begin with."""
    rows = tuple(
        (one.model, one.pretrained, _sized(one.megabytes * 1_000_000, wide=wide), one.words) for one in models
    )
    columns = (*TYPED, Column("bytes", "size", right=True), Column("what"))
    notes = (
        "downloaded when first used; without a network clipbench doctor --model MODEL says what to fetch",
        "all names of open_clip: clipbench models --all; those like a word: clipbench models WORD",
    )
    return Table("Usual names of open_clip", columns, rows, notes)


def names_table(names: Sequence[tuple[str, str]], word: str = "") -> Table:
    """Return names of open_clip: all, or those that hold or resemble a word."""
    title = f"Names of open_clip like {word!r}" if word else "Names of open_clip"
    return Table(title, TYPED, tuple(names), empty="nothing like it; clipbench models --all lists every name")


def _sized(count: int, *, wide: bool) -> Cell:
    if wide:
        return count
    return size(count) if count else None
