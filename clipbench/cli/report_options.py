"""Options of `clipbench report`, and how its words become options."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option
from typer.core import TyperCommand

from clipbench.cli import completion
from clipbench.cli.console import renamed
from clipbench.cli.expanding import option, switch
from clipbench.cli.options import with_matplotlib

if TYPE_CHECKING:
    from clipbench.store.queries import RunFilter
    from clipbench.study.comparing.comparison import CompareRequest

COMPARE, CHOOSE, OTHER = "Compare", "Choose runs", "Other reports"
"""Headings of the help's panels."""


class ReportCommand(TyperCommand):
    """The command, with `--by word WORD` and `--by column NAME` read as one option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two words of `--by word WORD`."""
        return super().parse_args(ctx, word_joined(args))


def word_joined(args: list[str]) -> list[str]:
    """Return the arguments with `--by word WORD` as `--by word:WORD`, and so for columns.

    >>> word_joined(["--compare", "a", "b", "--by", "word", "dog"])
    ['--compare', 'a', 'b', '--by', 'word:dog']
    """
    for place, word in enumerate(args[:-2]):
        if word == "--by" and args[place + 1] in {"word", "column"} and not args[place + 2].startswith("-"):
            return [*args[: place + 1], f"{args[place + 1]}:{args[place + 2]}", *args[place + 3 :]]
    return args


@dataclass(frozen=True)
class ReportFlags:
    """What asks for a report and says nothing else."""

    compare: bool = switch("Compare the runs named, the first as the baseline.", "--compare", panel=COMPARE)
    leaderboard: bool = switch(
        "Rank models and methods on the same queries, every pair tested.", "--leaderboard", panel=COMPARE
    )
    anchors: bool = switch(
        "Hold the runs against published numbers, each with its source.", "--anchors", panel=OTHER
    )
    transfer: bool = switch(
        "Every model and adapter on every dataset, clean and perturbed.", "--transfer", panel=OTHER
    )


RunsArgument = Annotated[
    list[str] | None,
    Argument(
        metavar="RUN",
        help="With --compare, --html and --anchors: the runs. A key's beginning, a tag, latest, "
        "latest:word-dropout=0.3, latest:clean,model=WORDS, or all:dataset=NAME.",
        autocompletion=completion.runs,
        show_default=False,
    ),
]
LimitOption = Annotated[
    int | None,
    Option(metavar="N", rich_help_panel=CHOOSE, min=1, help="At most this many, newest first."),
]
AgainstOption = Annotated[
    list[Path] | None,
    Option(
        metavar="FILE",
        rich_help_panel=OTHER,
        help="With --anchors: results of CLIP_benchmark (JSON) in place of published numbers.",
    ),
]
DatasetFilter = Annotated[
    str | None, Option(metavar="DATASET", rich_help_panel=CHOOSE, help="Only runs on this dataset.")
]
ModelFilter = Annotated[
    str | None, Option(metavar="WORDS", rich_help_panel=CHOOSE, help="Only models whose name holds this.")
]
TagFilter = Annotated[
    str | None, Option(metavar="TAG", rich_help_panel=CHOOSE, help="Only runs with this tag.")
]
MetricOption = Annotated[
    list[str] | None,
    Option(
        "--metric", metavar="NAME", rich_help_panel=COMPARE, help="Only this metric, e.g. R@1. [default: all]"
    ),
]
ResamplesOption = Annotated[
    int, Option(metavar="N", rich_help_panel=COMPARE, min=100, help="Resamples of the images.")
]
ReplaceOption = Annotated[
    bool, Option("--force", metavar="", rich_help_panel=OTHER, help="Replace the --html file.")
]
PageFiguresOption = Annotated[
    Path | None,
    Option(
        metavar="FOLDER",
        rich_help_panel=OTHER,
        callback=with_matplotlib,
        help="With --sweep or --html: write the figures: PNG, SVG, PDF.",
    ),
]


@dataclass(frozen=True)
class PageFileOptions:
    """Where a page is written. overwrite: the old spelling of force."""

    html: Path = option(
        "Write a report to read: one file, with pictures.", default=MISSING, metavar="FILE", panel=OTHER
    )
    figures: PageFiguresOption = None
    force: ReplaceOption = False
    overwrite: bool = switch("What --force was called.", "--overwrite", hidden=True)

    @property
    def replace(self) -> bool:
        """Whether a page that is there is replaced."""
        return self.force or renamed(self.overwrite, "--overwrite", "--force")


@dataclass(frozen=True)
class SweepOptions:
    """Which stored sweeps, and what their figures are relative to."""

    sweep: list[str] = option(
        "Print this sweep (a name, or latest); several models' side by side.",
        default=MISSING,
        metavar="SWEEP",
        panel=OTHER,
        autocompletion=completion.sweeps,
    )
    reference: str | None = option(
        "With --sweep: the sweep mCE is relative to.", metavar="SWEEP", panel=OTHER
    )
    baselines: list[str] | None = option(
        "With --sweep: a baseline of effective robustness; eight or more are needed.",
        metavar="SWEEP",
        panel=OTHER,
    )
    figures: PageFiguresOption = None


@dataclass(frozen=True)
class QueryOptions:
    """A question in SQL."""

    query: str = option(
        "Ask the store, which is only read (docs/store.md).", default=MISSING, metavar="SQL", panel=OTHER
    )
    time_limit: float = option(
        "With --query: stop it after that.", default=30.0, metavar="SECONDS", panel=OTHER, min=0.1
    )
    limit: LimitOption = None


@dataclass(frozen=True)
class FilterOptions:
    """Which of all runs are meant where none is named."""

    dataset: DatasetFilter = None
    model: ModelFilter = None
    kind: str | None = option("Only runs of this kind: evaluate or robustness.", metavar="KIND", panel=CHOOSE)
    perturbation: str | None = option("Only this operation, e.g. clean.", metavar="OPERATION", panel=CHOOSE)
    tag: TagFilter = None
    since: datetime | None = option(
        "Only runs since then: 2026-01-31 or 2026-01-31T18:00, UTC.",
        metavar="DATE",
        panel=CHOOSE,
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
    )
    limit: LimitOption = None

    def filters(self) -> RunFilter:
        """Return which runs are listed."""
        from clipbench.store.queries import RunFilter

        return RunFilter(
            dataset=self.dataset,
            model=self.model,
            kind=self.kind,
            operation=self.perturbation,
            tag=self.tag,
            since=None if self.since is None else self.since.replace(tzinfo=UTC),
            limit=self.limit,
        )

    def where_unnamed(self, runs: list[str] | None) -> RunFilter:
        """Return which runs are meant where none is named. Raises BadParameter where some are, and filters too."""
        typed = [f"--{name}" for name, value in vars(self).items() if value is not None]
        if runs and typed:
            raise typer.BadParameter(
                f"runs are named, so nothing is left to {' and '.join(typed)}: write all:dataset=NAME"
            )
        return self.filters()


@dataclass(frozen=True)
class BoardOptions:
    """Which runs stand in a leaderboard, and by what."""

    dataset: DatasetFilter = None
    model: ModelFilter = None
    tag: TagFilter = None
    metric: MetricOption = None
    direction: Literal["t2i", "i2t"] = option(
        "With --leaderboard: captions as queries (t2i) or photographs (i2t).", default="t2i", panel=COMPARE
    )
    resamples: ResamplesOption = 10_000

    def filters(self) -> RunFilter:
        """Return which runs are looked at."""
        from clipbench.store.queries import RunFilter

        return RunFilter(dataset=self.dataset, model=self.model, tag=self.tag)

    def request(self) -> CompareRequest:
        """Return how pairs are compared. Raises BadParameter for several metrics: a rank is by one."""
        from clipbench.study.comparing.comparison import CompareRequest

        if self.metric and len(self.metric) > 1:
            raise typer.BadParameter("--leaderboard ranks by one --metric")
        return CompareRequest(metrics=tuple(self.metric or ()), resamples=self.resamples)


@dataclass(frozen=True)
class ComparisonOptions:
    """How runs are compared."""

    baseline: str | None = option("The run that the others are compared with.", metavar="RUN", panel=COMPARE)
    metric: MetricOption = None
    by: str | None = option(
        "Within groups: caption-length, rank-bucket, perturbation, word WORD, category, column:NAME, missing or "
        "missing:NAME.",
        metavar="GROUPS",
        panel=COMPARE,
    )
    flips: int | None = option("The N queries that changed most.", metavar="N", panel=COMPARE, min=1)
    policy: str | None = option(
        "With --by category: how a failure with several labels counts (annotate summary). "
        "[default: majority]",
        metavar="POLICY",
        panel=COMPARE,
    )
    correction: Literal["auto", "holm", "bh"] = option(
        "holm, bh (Benjamini-Hochberg), or auto: holm up to 60 tests.",
        default="auto",
        metavar="NAME",
        panel=COMPARE,
    )
    resamples: ResamplesOption = 10_000
    seed: int = option("Seed of the resamples.", default=0, metavar="N", panel=COMPARE)
    confidence: float = option(
        "Confidence of intervals.", default=0.95, metavar="SHARE", panel=COMPARE, min=0.51, max=0.999
    )
    allow_unlike: bool = switch(
        "Compare what unlike runs have in common, and mark every line.", "--allow-unlike", panel=COMPARE
    )

    def request(self, *, allow_unlike: bool = False) -> CompareRequest:
        """Return how to compare. allow_unlike: whether another option says so too.

        Raises BadParameter for a policy without categories, CompareError for what means nothing.
        """
        from clipbench.study.comparing.comparison import CompareRequest

        if self.policy is not None and self.by != "category":
            raise typer.BadParameter("--policy goes with --by category")
        return CompareRequest(
            metrics=tuple(self.metric or ()),
            by=self.by,
            resamples=self.resamples,
            seed=self.seed,
            confidence=self.confidence,
            correction=self.correction,
            policy=self.policy or "majority",
            allow_unlike=self.allow_unlike or allow_unlike,
            flips=self.flips or 0,
        )
