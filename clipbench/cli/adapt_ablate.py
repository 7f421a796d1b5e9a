"""`clipbench adapt ablate`: which head, loss, share and rate help, by how much, and at what cost elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from clipbench.cli.adapt_options import TrainingOptions
from clipbench.cli.console import note, notes
from clipbench.cli.expanding import expanded, option, switch
from clipbench.cli.opening import at_work, open_at
from clipbench.cli.options import (
    EncoderOptions,
    FiguresOption,
    MissingOption,
    ModelOption,
    OutputOptions,
    QuietOption,
    StoreOption,
    flag,
)
from clipbench.cli.output import emit_several

if TYPE_CHECKING:
    from clipbench.reports.adapting.ablation import Shown
    from clipbench.study.adapting.grid import Grid


@dataclass(frozen=True)
class GridOptions:
    """What is scanned."""

    head: str = option("Heads, with commas.", default="residual", metavar="HEAD,...")
    loss: str = option("Losses, with commas.", default="masked", metavar="LOSS,...")
    alpha: str = option(
        "Shares of a residual: 0:1:0.1 (from, to, step) or 0.2,0.5.", default="0.2", metavar="X,..."
    )
    rate: str = option("Learning rates.", "--rate", "--lr", default="0.001", metavar="X,...")
    temperature: str = option("Where the temperature starts.", default="0.07", metavar="X,...")
    interpolate: str = option(
        "Each trained head also between the base (0) and itself (1): 0.25,0.5,1. Nothing more is trained.",
        default="1",
        metavar="X,...",
    )
    seeds: int = option("How many seeds: 0, 1, ... N-1.", default=1, min=1, max=100, metavar="N")
    no_control: bool = switch("Leave out the two-tower control.", "--no-control")

    def grid(self) -> Grid:
        """Return what was typed. Raises ClipbenchError for what means nothing."""
        from clipbench.study.adapting.grid import Grid
        from clipbench.study.robustness.levels import levels_of

        def words(typed: str) -> tuple[str, ...]:
            return tuple(dict.fromkeys(word.strip() for word in typed.split(",") if word.strip()))

        return Grid(
            words(self.head),
            words(self.loss),
            levels_of(self.alpha),
            levels_of(self.rate),
            levels_of(self.temperature),
            levels_of(self.interpolate),
            self.seeds,
            control=not self.no_control,
        )


@expanded
def ablate(
    dataset: Annotated[str, Argument(metavar="TRAIN", help="Name of the stored dataset to learn from.")],
    val: Annotated[
        str, Option("--val", metavar="DATASET", help="Dataset that chooses the epoch and the cell.")
    ],
    test: Annotated[
        str, Option("--test", metavar="DATASET", help="Dataset that measures, and chooses nothing.")
    ],
    model: ModelOption,
    grid: GridOptions = GridOptions(),
    origin: Annotated[
        str | None, Option(metavar="DATASET", help="What the base is good at, to see what it forgets.")
    ] = None,
    perturb: Annotated[
        str,
        Option(
            metavar="OPERATION=LEVEL,...",
            help="How captions or photographs get worse in tests. [default: word-dropout=0.5, word-shuffle]",
            show_default=False,
        ),
    ] = "word-dropout=0.5,word-shuffle",
    metric: Annotated[
        str, Option(metavar="NAME", help="R@1, R@5, R@10 or MRR of the tables of cells.")
    ] = "R@1",
    training: TrainingOptions = TrainingOptions(),
    dry_run: Annotated[
        bool, flag("--dry-run", says="Count trainings and runs, estimate the time, stop.")
    ] = False,
    figures: FiguresOption = None,
    encoder: EncoderOptions = EncoderOptions(),
    allow_missing: MissingOption = 0.0,
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Train every cell of a grid under every seed, choose on validation, and measure all of them on test.

    Each cell is a stored adapter with stored runs. Killed at any time, the same command goes on; done again it only
    reads. Beside every cell stands zero-shot, and beside all of them a two-tower control.
    """
    from clipbench.reports.adapting.ablation import Shown, ablation_tables, metric_named
    from clipbench.study.adapting.ablation import AblationRequest, plan_ablation, run_ablation
    from clipbench.study.adapting.ablation_cost import cost, count_words
    from clipbench.study.adapting.ablation_numbers import numbers_of
    from clipbench.study.robustness.levels import settings_of

    shown_metric = metric_named(metric)
    request = AblationRequest(
        dataset,
        val,
        test,
        grid.grid(),
        settings_of(perturb),
        origin,
        training.recipe("residual", "masked", 0.2, 1e-3, 0.07, 0),
        training.noise_of(),
        allow_missing,
        enough=training.epochs is None,
    )
    at = open_at(store)
    with at_work(at, model, encoder, quiet, dataset) as (source, bars):
        planned = plan_ablation(source, request, bars)
        if not quiet:
            note(count_words(planned))
        if dry_run:
            typer.echo(cost(planned, source).words)
            return
        done = run_ablation(planned, source, bars)
    notes(() if quiet else done.notes)
    shown = Shown(done, numbers_of(at, done), shown_metric)
    emit_several(ablation_tables(shown, wide=output.for_programs), output)
    _draw(shown, figures, quiet)


def _draw(shown: Shown, figures: Path | None, quiet: bool) -> None:
    from clipbench.reports.adapting.ablation_figures import write_ablation_figures

    written = write_ablation_figures(shown, figures) if figures is not None else ()
    for path in () if quiet else written:
        note(f"wrote {path}")
