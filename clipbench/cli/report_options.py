"""Options of `clipbench report`, and how its words become options."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from clipbench.cli import completion

COMPARE, CHOOSE, OTHER = "Compare", "Choose runs", "Other reports"
"""Headings of the help's panels."""


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
        metavar="RUN",
        help="With --compare, --html and --anchors: the runs. A key's beginning, a tag, latest, "
        "latest:word-dropout=0.3, latest:clean,model=WORDS, or all:dataset=NAME.",
        autocompletion=completion.runs,
        show_default=False,
    ),
]
CompareOption = Annotated[
    bool,
    typer.Option(
        "--compare",
        metavar="",
        rich_help_panel=COMPARE,
        help="Compare the runs named, the first as the baseline.",
    ),
]
BaselineOption = Annotated[
    str | None,
    typer.Option(metavar="RUN", rich_help_panel=COMPARE, help="The run that the others are compared with."),
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric", metavar="NAME", rich_help_panel=COMPARE, help="Only this metric, e.g. R@1. [default: all]"
    ),
]
ByOption = Annotated[
    str | None,
    typer.Option(
        metavar="GROUPS",
        rich_help_panel=COMPARE,
        help="Within groups: caption-length, rank-bucket, perturbation, word WORD, category.",
    ),
]
FlipsOption = Annotated[
    int | None,
    typer.Option(metavar="N", rich_help_panel=COMPARE, min=1, help="The N queries that changed most."),
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force",
        metavar="",
        rich_help_panel=COMPARE,
        help="Compare what unlike runs have in common, and mark every line.",
    ),
]
PolicyOption = Annotated[
    str,
    typer.Option(
        metavar="POLICY",
        rich_help_panel=COMPARE,
        help="With --by category: how a failure with several labels counts (annotate summary).",
    ),
]
CorrectionOption = Annotated[
    Correction,
    typer.Option(
        metavar="NAME",
        rich_help_panel=COMPARE,
        help="holm, bh (Benjamini-Hochberg), or auto: holm up to 60 tests.",
    ),
]
ResamplesOption = Annotated[
    int, typer.Option(metavar="N", rich_help_panel=COMPARE, min=100, help="Resamples of the images.")
]
SeedOption = Annotated[int, typer.Option(metavar="N", rich_help_panel=COMPARE, help="Seed of the resamples.")]
ConfidenceOption = Annotated[
    float,
    typer.Option(
        metavar="SHARE", rich_help_panel=COMPARE, min=0.51, max=0.999, help="Confidence of intervals."
    ),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        rich_help_panel=OTHER,
        help="Write a report to read: one file, with pictures.",
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", metavar="", rich_help_panel=OTHER, help="Replace the --html file.")
]
AnchorsOption = Annotated[
    bool,
    typer.Option(
        "--anchors",
        metavar="",
        rich_help_panel=OTHER,
        help="Hold the runs against published numbers, each with its source.",
    ),
]
AgainstOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        metavar="FILE",
        rich_help_panel=OTHER,
        help="With --anchors: results of CLIP_benchmark (JSON) in place of published numbers.",
    ),
]
QueryOption = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="SQL",
        rich_help_panel=OTHER,
        help="Ask the store, which is only read (docs/store.md).",
    ),
]
TimeOption = Annotated[
    float,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        rich_help_panel=OTHER,
        min=0.1,
        help="With --query: stop it after that.",
    ),
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        autocompletion=completion.sweeps,
        metavar="SWEEP",
        rich_help_panel=OTHER,
        help="Print this sweep (a name, or latest); several models' side by side.",
    ),
]
ReferenceOption = Annotated[
    str | None,
    typer.Option(metavar="SWEEP", rich_help_panel=OTHER, help="With --sweep: the sweep mCE is relative to."),
]
BaselinesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--baselines",
        metavar="SWEEP",
        rich_help_panel=OTHER,
        help="With --sweep: a baseline of effective robustness; eight or more are needed.",
    ),
]
FiguresOption = Annotated[
    Path | None,
    typer.Option(
        "--figures",
        metavar="FOLDER",
        rich_help_panel=OTHER,
        help="With --sweep or --html: write the figures, PNG and SVG.",
    ),
]
DatasetOption = Annotated[
    str | None, typer.Option(metavar="DATASET", rich_help_panel=CHOOSE, help="Only runs on this dataset.")
]
WordsOption = Annotated[
    str | None,
    typer.Option(metavar="WORDS", rich_help_panel=CHOOSE, help="Only models whose name holds this."),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", rich_help_panel=CHOOSE, help="Only runs of this kind: evaluate or robustness."
    ),
]
PerturbationOption = Annotated[
    str | None,
    typer.Option(metavar="OPERATION", rich_help_panel=CHOOSE, help="Only this operation, e.g. clean."),
]
TagOption = Annotated[
    str | None, typer.Option(metavar="TAG", rich_help_panel=CHOOSE, help="Only runs with this tag.")
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        metavar="DATE",
        rich_help_panel=CHOOSE,
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
        help="Only runs since then: 2026-01-31 or 2026-01-31T18:00, UTC.",
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(metavar="N", rich_help_panel=CHOOSE, min=1, help="At most this many, newest first."),
]
