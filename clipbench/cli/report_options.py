"""Options of `clipbench report`, and how its words become options."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from clipbench.cli.options import flag


class Correction(StrEnum):
    """How p-values are corrected over the table."""

    auto = "auto"
    holm = "holm"
    bh = "bh"


class ReportCommand(TyperCommand):
    """The command, with `--by word WORD` read as one option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two words of `--by word WORD`."""
        return super().parse_args(ctx, joined(args))


def joined(args: list[str]) -> list[str]:
    """Return the arguments with `--by word WORD` as `--by word:WORD`.

    >>> joined(["--compare", "a", "b", "--by", "word", "dog"])
    ['--compare', 'a', 'b', '--by', 'word:dog']
    """
    for place, word in enumerate(args[:-2]):
        if word == "--by" and args[place + 1] == "word" and not args[place + 2].startswith("-"):
            return [*args[: place + 1], f"word:{args[place + 2]}", *args[place + 3 :]]
    return args


RunsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]...",
        help="With --compare, --html and --anchors: the runs. A key's beginning, a tag, latest, "
        "latest:word-dropout=0.3, latest:clean,model=WORDS, or all:dataset=NAME.",
        show_default=False,
    ),
]
DatasetOption = Annotated[str | None, typer.Option(metavar="DATASET", help="Only runs on this dataset.")]
WordsOption = Annotated[str | None, typer.Option(metavar="WORDS", help="Only models whose name holds this.")]
KindOption = Annotated[
    str | None, typer.Option(metavar="KIND", help="Only runs of this kind: evaluate or robustness.")
]
PerturbationOption = Annotated[
    str | None, typer.Option(metavar="OPERATION", help="Only this operation, e.g. clean.")
]
TagOption = Annotated[str | None, typer.Option(metavar="TAG", help="Only runs with this tag.")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
        metavar="DATE",
        help="Only runs since then: 2026-01-31 or 2026-01-31T18:00, UTC.",
    ),
]
LimitOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most this many, newest first.")]
CompareOption = Annotated[bool, flag("--compare", says="Compare the runs named, the first as the baseline.")]
BaselineOption = Annotated[
    str | None, typer.Option(metavar="RUN", help="With --compare: the run the others are compared with.")
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option("--metric", metavar="NAME", help="With --compare: only this, e.g. R@1. [default: all]"),
]
ByOption = Annotated[
    str | None,
    typer.Option(
        metavar="GROUPS",
        help="With --compare: within groups: caption-length, rank-bucket, perturbation, word WORD, category.",
    ),
]
FlipsOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="With --compare: the N queries that changed most.")
]
ForceOption = Annotated[
    bool, flag("--force", says="Compare what unlike runs have in common, or overwrite the --html file.")
]
CorrectionOption = Annotated[
    Correction,
    typer.Option(metavar="NAME", help="holm, bh (Benjamini-Hochberg), or auto: holm up to 60 tests."),
]
ResamplesOption = Annotated[
    int, typer.Option(min=100, metavar="N", help="With --compare: resamples of the images.")
]
SeedOption = Annotated[int, typer.Option(metavar="N", help="With --compare: seed of the resamples.")]
ConfidenceOption = Annotated[
    float, typer.Option(min=0.51, max=0.999, metavar="SHARE", help="With --compare: of intervals.")
]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a report to read: one file, with pictures."),
]
QueryOption = Annotated[
    str | None, typer.Option("--query", metavar="SQL", help="Ask the store; it is only read (docs/store.md).")
]
TimeOption = Annotated[
    float, typer.Option("--time-limit", min=0.1, metavar="SECONDS", help="With --query: stop it after that.")
]
AnchorsOption = Annotated[
    bool, flag("--anchors", says="Hold the runs against published numbers, each with its source.")
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option(metavar="SWEEP", help="Print this sweep (a name, or latest); several models' side by side."),
]
ReferenceOption = Annotated[
    str | None, typer.Option(metavar="SWEEP", help="With --sweep: the sweep mCE is relative to.")
]
BaselinesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--baselines",
        metavar="SWEEP",
        help="With --sweep: a baseline of effective robustness; eight or more are needed.",
    ),
]
FiguresOption = Annotated[
    Path | None,
    typer.Option("--figures", metavar="FOLDER", help="With --sweep: write its figures, PNG and SVG."),
]
