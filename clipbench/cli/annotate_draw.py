"""`clipbench annotate sample | assign | list`: which failures are looked at, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from clipbench.cli.annotate_options import SampleArgument, names_of
from clipbench.cli.console import note, progress
from clipbench.cli.expanding import expanded, option, switch
from clipbench.cli.opening import open_at
from clipbench.cli.options import ForceOption, OutputOptions, QuietOption, RunArgument, StoreOption, flag
from clipbench.cli.output import emit
from clipbench.wording import plural

if TYPE_CHECKING:
    from clipbench.study.annotation.sampling import SampleRequest


class Stratification(StrEnum):
    """What strata are made of. An enumeration, since typer takes no list of literals."""

    margin = "margin"
    rank = "rank"


@dataclass(frozen=True)
class DrawOptions:
    """Which failures are drawn."""

    n: int = option("How many failures to draw.", default=200, min=1)
    seed: int = option("Seed of the draw.", default=42)
    direction: Literal["t2i", "i2t"] = option(
        "Whose failures: captions' (t2i) or images' (i2t).", default="t2i"
    )
    rank_above: int = option("Only failures whose own item ranks below this place.", default=1, min=1)
    strata: list[Stratification] | None = option("Draw from strata: margin, rank, or both (give it twice).")
    allocation: Literal["equal", "proportional"] = option(
        "With --strata: the same number from each, or by size.", default="equal"
    )
    controls: int = option("Draw N successes of like length beside them.", default=0, min=0)
    legacy: bool = switch("Draw by position as the source study did (fragile).", "--legacy-list-sample")

    def request(self) -> SampleRequest:
        """Return what to draw."""
        from clipbench.study.annotation.sampling import SampleRequest

        return SampleRequest(
            self.n,
            self.seed,
            self.direction,
            self.rank_above,
            tuple(dict.fromkeys(stratum for stratum in (one.value for one in self.strata or ()))),
            self.allocation,
            self.controls,
            self.legacy,
        )


@expanded
def sample(
    draw: DrawOptions,
    run: RunArgument = "latest:clean",
    no_hints: Annotated[bool, flag("--no-hints", says="Look for no hints.")] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Draw failures of a stored run by a hash of seed and caption id, and store the manifest.

    The same request finds the same sample. Hints (what differs in words, pictures that look alike) are
    stored beside it and shown only where asked.
    """
    from clipbench.reports.annotation.samples import sample_tables
    from clipbench.study.annotation.hints import draw_with_hints
    from clipbench.study.annotation.sampling import draw_sample
    from clipbench.study.comparing.references import resolve_one

    at = open_at(store)
    stored = resolve_one(at, run)
    if no_hints:
        drawn = draw_sample(at, stored, draw.request())
    else:
        with progress(quiet) as bars:
            drawn = draw_with_hints(at, stored, draw.request(), bars)
    emit(sample_tables(at, drawn), output)
    if not drawn.created:
        note("note: this sample was drawn before; nothing was drawn again")
    note("next: clipbench annotate assign --annotators A,B,C, or clipbench annotate serve")


def assign(
    sample: SampleArgument = "latest",
    annotators: Annotated[
        str, Option("--annotators", help="Names with commas between: A,B,C.", show_default=False)
    ] = "",
    overlap: Annotated[int, Option(min=0, help="Failures that everybody labels.")] = 30,
    per_annotator: Annotated[int, Option(min=0, help="Failures of each annotator's own.")] = 50,
    backup: Annotated[int, Option(min=0, help="Failures kept for later, the last ones.")] = 20,
    blind: Annotated[bool, flag("--blind", says="Do not tell which picture is the caption's own.")] = False,
    out: Annotated[Path, Option("--out", "-o", help="Folder to write to.")] = Path("annotation"),
    force: ForceOption = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Cut a sample into parts and write a table for everyone, a picture for each failure, and the guide.

    In the order of the draw: the overlap first, then each annotator's own part, the backup last.
    """
    from clipbench.store.failures import find_sample
    from clipbench.study.annotation.assign import AssignRequest, described
    from clipbench.study.annotation.assign import assign as assign_parts

    at = open_at(store)
    request = AssignRequest(names_of(annotators), overlap, per_annotator, backup, blind)
    with progress(quiet) as bars:
        done = assign_parts(at, find_sample(at, sample), request, out, bars, force=force)
    typer.echo(described(done))
    for path in done.tables:
        typer.echo(f"  {path}")
    if done.pictures is None:
        note("note: the dataset has no photographs, so there are no pictures")
    note("next: clipbench annotate serve, or fill in the tables and clipbench annotate import them")


@expanded
def list_(
    sample: Annotated[
        str | None, Argument(help="List this sample's failures: its key's beginning, or latest.")
    ] = None,
    hints: Annotated[bool, flag("--hints", says="Show the hints of each failure.")] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """List the samples of this store, or the failures of one with their ranks, margins and labels."""
    from clipbench.reports.annotation.samples import manifest_table, sample_list
    from clipbench.store.failures import find_sample

    at = open_at(store, to_read=True)
    table = sample_list(at) if sample is None else manifest_table(at, find_sample(at, sample), hints=hints)
    emit(table, output)


def simulate(
    sample: SampleArgument = "latest",
    annotators: Annotated[str, Option("--annotators", help="Names with commas between.")] = "A,B,C",
    noise: Annotated[float, Option(min=0.0, max=1.0, help="Chance that a label is wrong.")] = 0.2,
    seed: Annotated[int, Option(help="Seed of the noise.")] = 0,
    store: StoreOption = None,
) -> None:
    """Let simulated annotators label a sample of the drawn scenes, to try the loop without people.

    They follow the scene graph, in which the true reason is written, and err at random.
    """
    from clipbench.study.annotation.session import open_session
    from clipbench.study.annotation.simulate import expected_agreement
    from clipbench.study.annotation.simulate import simulate as simulate_labels

    at = open_at(store)
    names = names_of(annotators)
    for saved in simulate_labels(at, open_session(at, sample), names, noise, seed):
        typer.echo(
            f"{saved.annotator}: {plural(saved.added, 'new label')}, {saved.changed} changed, {saved.unchanged} as before"
        )
    typer.echo(f"noise {noise:g}: two of them agree with a chance of {expected_agreement(noise):.3f}")
    note("next: clipbench annotate agreement")
