"""`clipbench annotate`: draw failures, have people look at them, and learn what they saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipbench.cli import annotate_decide, annotate_draw, annotate_page
from clipbench.cli.annotate_words import ConfidenceOption, DatasetOption, Policy, SampleOption
from clipbench.cli.console import note
from clipbench.cli.options import Format, FormatOption, JsonOption, StoreOption
from clipbench.cli.output import chosen, emit

app = typer.Typer(
    no_args_is_help=True, help="Draw failures, have people label them, measure agreement, summarise."
)

app.command("sample")(annotate_draw.sample)
app.command("assign")(annotate_draw.assign)
app.command("list")(annotate_draw.list_)
app.command("simulate")(annotate_draw.simulate)
app.command("serve")(annotate_page.serve)
app.command("export-page")(annotate_page.export_page)
app.command("adjudicate")(annotate_decide.adjudicate)
app.command("results")(annotate_decide.results)
app.command("gallery")(annotate_decide.gallery)
app.command("export")(annotate_decide.export)


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(help="CSV, TSV, XLSX, the page's JSON, or Label Studio's JSON.")
    ],
    annotator: Annotated[
        str | None,
        typer.Option(
            help="Who gave the labels. [default: from each file: assign_A.csv is by A]", show_default=False
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="The dataset the labels are about; with --items, what to call it.")
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(help="Captions the labels are about, where no run of this store ranked them."),
    ] = None,
    meta: Annotated[Path | None, typer.Option(help="Ids of a frozen caption list (meta_5000.json).")] = None,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Bring labels into the store. All problems are shown together; nothing is half imported.

    The same file again changes nothing. A label that has changed is added, and the older one stays.
    """
    from clipbench.reports.annotation.tables import import_tables
    from clipbench.study.annotation.importing import ImportRequest, import_labels
    from clipbench.study.opening import open_at

    if meta is not None and items is None:
        raise typer.BadParameter("--meta goes with --items")
    request = ImportRequest(tuple(files), annotator, dataset, items, meta)
    emit(import_tables(import_labels(open_at(store, create=items is not None), request)), chosen(form, json))
    note("next: clipbench annotate summary; clipbench annotate agreement")


@app.command()
def summary(
    sample: SampleOption = None,
    dataset: DatasetOption = None,
    policy: Annotated[
        Policy, typer.Option(help="How a failure with several labels counts.")
    ] = Policy.majority,
    confidence: ConfidenceOption = 0.95,
    figures: Annotated[Path | None, typer.Option(help="Also draw the distribution into this folder.")] = None,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Print how often each category occurs, with intervals, per annotator and under a named merge policy."""
    from clipbench.reports.annotation.tables import summary_tables
    from clipbench.study.annotation.labels import scope
    from clipbench.study.annotation.summary import summarise
    from clipbench.study.opening import open_at

    found = summarise(scope(open_at(store, to_read=True), sample, dataset), policy.value, confidence)
    emit(summary_tables(found), chosen(form, json))
    if figures is not None:
        from clipbench.reports.annotation.figures import save_distribution

        for path in save_distribution(found, figures):
            note(f"drew {path}")


@app.command()
def agreement(
    sample: SampleOption = None,
    dataset: DatasetOption = None,
    annotator: Annotated[
        list[str] | None, typer.Option(help="Only these annotators. [default: all]", show_default=False)
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Resamples of the bootstrap over failures.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 0,
    confidence: ConfidenceOption = 0.95,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Print how well annotators agree: raw, κ, α, AC1, per category, and Ambiguous against the rest."""
    from clipbench.reports.annotation.tables import agreement_tables
    from clipbench.study.annotation.agreement import agree
    from clipbench.study.annotation.labels import scope
    from clipbench.study.opening import open_at

    within = scope(open_at(store, to_read=True), sample, dataset)
    found = agree(within, annotator, resamples=resamples, seed=seed, confidence=confidence)
    emit(agreement_tables(found), chosen(form, json))
