"""`clipbench annotate`: draw failures, have people look at them, and learn what they saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from clipbench.cli import annotate_decide, annotate_draw, annotate_page
from clipbench.cli.annotate_options import LabelOptions, PolicyOption
from clipbench.cli.console import note
from clipbench.cli.expanding import expanded
from clipbench.cli.opening import open_at
from clipbench.cli.options import ConfidenceOption, FiguresOption, OutputOptions, StoreOption
from clipbench.cli.output import emit

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
@expanded
def import_(
    files: Annotated[
        list[Path], Argument(help="CSV, TSV, XLSX, the page's JSON, or Label Studio's JSON or JSON_MIN.")
    ],
    annotator: Annotated[
        str | None,
        Option(
            help="Who gave the labels. [default: the column annotator or __source_file, else by the file's name: "
            "assign_A.csv is by A]",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None, Option(help="The dataset the labels are about; with --items, what to call it.")
    ] = None,
    items: Annotated[
        Path | None,
        Option(help="Captions the labels are about, where no run of this store ranked them."),
    ] = None,
    meta: Annotated[Path | None, Option(help="Ids of a frozen caption list (meta_5000.json).")] = None,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Bring labels into the store. All problems are shown together; nothing is half imported.

    The same file again changes nothing. A label that has changed is added, and the older one stays.
    """
    from clipbench.reports.annotation.tables import import_tables
    from clipbench.study.annotation.importing import ImportRequest, import_labels

    if meta is not None and items is None:
        raise typer.BadParameter("--meta goes with --items")
    request = ImportRequest(tuple(files), annotator, dataset, items, meta)
    emit(import_tables(import_labels(open_at(store, create=items is not None), request)), output)
    note("next: clipbench annotate summary; clipbench annotate agreement")


@app.command()
@expanded
def summary(
    labels: LabelOptions,
    policy: PolicyOption = "majority",
    confidence: ConfidenceOption = 0.95,
    figures: FiguresOption = None,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print how often each category occurs, with intervals, per annotator and under a named merge policy."""
    from clipbench.reports.annotation.tables import summary_tables
    from clipbench.study.annotation.summary import summarise

    summarised = summarise(labels.scope(open_at(store, to_read=True)), policy, confidence)
    emit(summary_tables(summarised), output)
    if figures is not None:
        from clipbench.reports.annotation.figures import save_distribution

        for path in save_distribution(summarised, figures):
            note(f"drew {path}")


@app.command()
@expanded
def agreement(
    labels: LabelOptions,
    annotator: Annotated[
        list[str] | None, Option(help="Only these annotators. [default: all]", show_default=False)
    ] = None,
    resamples: Annotated[int, Option(min=100, help="Resamples of the bootstrap over failures.")] = 2000,
    seed: Annotated[int, Option(help="Seed of the resamples.")] = 0,
    confidence: ConfidenceOption = 0.95,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print how well annotators agree: raw, κ, α, AC1, per category, and Ambiguous against the rest."""
    from clipbench.reports.annotation.tables import agreement_tables
    from clipbench.study.annotation.agreement import agree

    within = labels.scope(open_at(store, to_read=True))
    agreed = agree(within, annotator, resamples=resamples, seed=seed, confidence=confidence)
    emit(agreement_tables(agreed), output)
