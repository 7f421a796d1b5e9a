"""`clipbench robustness gallery`: larger, stranger and misleading galleries for the same queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipbench.cli.console import note, renamed
from clipbench.cli.expanding import expanded, option, switch
from clipbench.cli.opening import at_work, open_at
from clipbench.cli.options import (
    DatasetArgument,
    EncoderOptions,
    FiguresOption,
    MissingOption,
    ModelOption,
    OutputOptions,
    QuietOption,
    StoreOption,
)
from clipbench.cli.output import emit

if TYPE_CHECKING:
    from clipbench.study.robustness.gallery_stress import StressRequest


@dataclass(frozen=True)
class StressOptions:
    """What is done to the gallery."""

    sizes: str | None = option(
        "Gallery sizes in images. [default: 10, 20, 50, 100, ... all]", metavar="N,N,..."
    )
    distractors: list[str] | None = option(
        "Add the images of this dataset to the gallery.", metavar="DATASET"
    )
    no_hard_negatives: bool = switch(
        "Do not add meaning-changed copies of the captions.", "--no-hard-negatives"
    )
    no_fooling: bool = switch("What --no-hard-negatives was called.", "--no-fooling", hidden=True)
    control: list[str] | None = option(
        "Copies by this operation only. [default: family:control]", metavar="OPERATION"
    )
    seed: int = option("Seed of the copies.", default=0, metavar="N")

    def request(self) -> StressRequest:
        """Return the stress that is asked for."""
        from clipbench.study.robustness.gallery_sizes import sizes_of
        from clipbench.study.robustness.gallery_stress import StressRequest

        old = renamed(self.no_fooling, "--no-fooling", "--no-hard-negatives")
        return StressRequest(
            sizes=sizes_of(self.sizes) if self.sizes is not None else (),
            distractors=tuple(self.distractors or ()),
            hard_negatives=not (self.no_hard_negatives or old),
            controls=tuple(self.control or ()),
            seed=self.seed,
        )


@expanded
def gallery(
    dataset: DatasetArgument,
    model: ModelOption,
    encoder: EncoderOptions,
    stress: StressOptions,
    figures: FiguresOption = None,
    allow_missing: MissingOption = 0.0,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Stress the gallery of DATASET: its size, images of other datasets, captions that are nearly right.

    Hit rates at smaller galleries are expected values in closed form: nothing is drawn or encoded again.
    """
    from clipbench.reports.sweeps.stress import stress_figures, stress_tables
    from clipbench.study.robustness.gallery_stress import stress_gallery

    at, request = open_at(store), stress.request()
    with at_work(at, model, encoder, quiet, dataset) as (source, bars):
        runs = stress_gallery(dataset, source, request, bars, allow_missing)
    emit(stress_tables(at, runs, wide=output.for_programs), output)
    written = stress_figures(at, runs, figures) if figures is not None else ()
    for path in () if quiet else written:
        note(f"wrote {path}")
