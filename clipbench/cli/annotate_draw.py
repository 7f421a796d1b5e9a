"""`clipbench annotate sample | assign | list`: which failures are looked at, and by whom."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clipbench.cli.console import note, progress
from clipbench.cli.options import Format, FormatOption, JsonOption, QuietOption, StoreOption
from clipbench.cli.output import chosen, emit

SampleArgument = Annotated[str, typer.Argument(help="Beginning of a sample's key, or `latest`.")]


class Direction(StrEnum):
    """Query to target."""

    t2i = "t2i"
    i2t = "i2t"


class Stratum(StrEnum):
    """What strata are made of."""

    margin = "margin"
    rank = "rank"


class Allocation(StrEnum):
    """How many are drawn from each stratum."""

    equal = "equal"
    proportional = "proportional"


def sample(
    run: Annotated[str, typer.Argument(help="Beginning of a run's key, a tag, or `latest`.")] = "latest",
    n: Annotated[int, typer.Option("--n", min=1, help="How many failures to draw.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 42,
    direction: Annotated[
        Direction, typer.Option(help="Whose failures: captions' (t2i) or images' (i2t).")
    ] = Direction.t2i,
    rank_above: Annotated[
        int, typer.Option(min=1, help="Only failures whose own item ranks below this place.")
    ] = 1,
    strata: Annotated[
        list[Stratum] | None, typer.Option(help="Draw from strata: margin, rank, or both (give it twice).")
    ] = None,
    allocation: Annotated[
        Allocation, typer.Option(help="With --strata: the same number from each, or by size.")
    ] = Allocation.equal,
    controls: Annotated[int, typer.Option(min=0, help="Draw N successes of like length beside them.")] = 0,
    legacy: Annotated[
        bool,
        typer.Option("--legacy-list-sample", help="Draw by position as the source study did (fragile)."),
    ] = False,
    no_hints: Annotated[bool, typer.Option("--no-hints", help="Look for no hints.")] = False,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw failures of a stored run by a hash of seed and caption id, and store the manifest.

    The same request finds the same sample. Hints (what differs in words, pictures that look alike) are
    stored beside it and shown only where asked.
    """
    from clipbench.reports.annotation.samples import sample_tables
    from clipbench.store.queries import resolve_run
    from clipbench.study.annotation.hints import draw_with_hints
    from clipbench.study.annotation.sampling import SampleRequest, draw_sample
    from clipbench.study.opening import open_at

    at = open_at(store)
    found = resolve_run(at, run)
    by = tuple(dict.fromkeys(stratum.value for stratum in strata or []))
    request = SampleRequest(n, seed, direction.value, rank_above, by, allocation.value, controls, legacy)
    if no_hints:
        drawn = draw_sample(at, found, request)
    else:
        with progress(quiet) as bars:
            drawn = draw_with_hints(at, found, request, bars)
    emit(sample_tables(at, drawn), chosen(form, json))
    if not drawn.created:
        note("note: this sample was drawn before; nothing was drawn again")
    note("next: clipbench annotate assign --annotators A,B,C, or clipbench annotate serve")


def assign(
    sample: SampleArgument = "latest",
    annotators: Annotated[
        str, typer.Option("--annotators", help="Names with commas between: A,B,C.", show_default=False)
    ] = "",
    overlap: Annotated[int, typer.Option(min=0, help="Failures that everybody labels.")] = 30,
    per_annotator: Annotated[int, typer.Option(min=0, help="Failures of each annotator's own.")] = 50,
    backup: Annotated[int, typer.Option(min=0, help="Failures kept for later, the last ones.")] = 20,
    blind: Annotated[
        bool, typer.Option("--blind", help="Do not tell which picture is the caption's own.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("annotation"),
    force: Annotated[bool, typer.Option("--force", help="Write over tables that are there.")] = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Cut a sample into parts and write a table for everyone, a picture for each failure, and the guide.

    In the order of the draw: the overlap first, then each annotator's own part, the backup last.
    """
    from clipbench.store.failures import find_sample
    from clipbench.study.annotation.assign import AssignRequest, described
    from clipbench.study.annotation.assign import assign as assign_parts
    from clipbench.study.opening import open_at

    names = tuple(name.strip() for name in annotators.split(",") if name.strip())
    at = open_at(store)
    request = AssignRequest(names, overlap, per_annotator, backup, blind)
    with progress(quiet) as bars:
        done = assign_parts(at, find_sample(at, sample), request, out, bars, force=force)
    typer.echo(described(done))
    for path in done.tables:
        typer.echo(f"  {path}")
    if done.pictures is None:
        note("note: the dataset has no photographs, so there are no pictures")
    note("next: clipbench annotate serve, or fill in the tables and clipbench annotate import them")


def list_(
    sample: Annotated[
        str | None, typer.Argument(help="List this sample's failures: its key's beginning, or latest.")
    ] = None,
    hints: Annotated[bool, typer.Option("--hints", help="Show the hints of each failure.")] = False,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """List the samples of this store, or the failures of one with their ranks, margins and labels."""
    from clipbench.reports.annotation.samples import manifest_table, sample_list
    from clipbench.store.failures import find_sample
    from clipbench.study.opening import open_at

    at = open_at(store, to_read=True)
    table = sample_list(at) if sample is None else manifest_table(at, find_sample(at, sample), hints=hints)
    emit(table, chosen(form, json))


def simulate(
    sample: SampleArgument = "latest",
    annotators: Annotated[str, typer.Option("--annotators", help="Names with commas between.")] = "A,B,C",
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Chance that a label is wrong.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    store: StoreOption = None,
) -> None:
    """Let simulated annotators label a sample of the drawn scenes, to try the loop without people.

    They follow the scene graph, in which the true reason is written, and err at random.
    """
    from clipbench.study.annotation.session import open_session
    from clipbench.study.annotation.simulate import expected_agreement
    from clipbench.study.annotation.simulate import simulate as simulate_labels
    from clipbench.study.opening import open_at

    at = open_at(store)
    names = [name.strip() for name in annotators.split(",") if name.strip()]
    for saved in simulate_labels(at, open_session(at, sample), names, noise, seed):
        typer.echo(
            f"{saved.annotator}: {saved.added} new labels, {saved.changed} changed, {saved.unchanged} as before"
        )
    typer.echo(f"noise {noise:g}: two of them agree with a chance of {expected_agreement(noise):.3f}")
    note("next: clipbench annotate agreement")
