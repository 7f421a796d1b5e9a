"""`clipbench improve`: what prompts and re-ranking bring, with controls that can say: nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from typer import Option

from clipbench.cli.console import note
from clipbench.cli.expanding import expanded, option, switch
from clipbench.cli.opening import at_work, open_at
from clipbench.cli.options import (
    DatasetArgument,
    EncoderOptions,
    MissingOption,
    ModelOption,
    OutputOptions,
    QuietOption,
    StoreOption,
)
from clipbench.cli.output import emit

if TYPE_CHECKING:
    from clipbench.study.improving.running import Improved

app = typer.Typer(
    no_args_is_help=True, help="Improve without training: prompts and re-ranking, with honest controls."
)

DirectionName: TypeAlias = Literal["t2i", "i2t"]
SelectOption = Annotated[
    str | None,
    Option("--select-on", metavar="DATASET", help="Choose on this other split; no change is a candidate."),
]
DirectionOption = Annotated[DirectionName, Option("--direction", help="Queries of the table: t2i or i2t.")]
MethodName: TypeAlias = Literal[
    "csls", "inverted-softmax", "qb-norm", "dual-softmax", "aqe", "dba", "k-reciprocal", "tfidf", "bm25"
]


@dataclass(frozen=True)
class PromptOptions:
    """Which templates, and how their scores become one."""

    set: list[str] | None = option(
        "Template set: plain, photo, general, object, ...; several times for several. [default: photo general]",
        "--set",
        metavar="NAME",
    )
    templates: Path | None = option(
        "Your own templates: a text file, one a line, {} for the caption.", metavar="FILE"
    )
    pool: str = option(
        "mean, vector, max, logsumexp, softmax.", default="mean,max,logsumexp", metavar="NAME,..."
    )
    tau: str = option(
        "Temperatures of logsumexp and softmax; scale is the model's own.", default="scale", metavar="X,..."
    )
    by_category: bool = switch("Each caption under its failure's category (an oracle).", "--by-category")
    labels: str | None = option("Sample whose labels name the categories.", metavar="SAMPLE")
    policy: str = option("How several labels of one failure count.", default="majority", metavar="POLICY")
    placebo: bool = switch("Show what empty templates bring.", "--placebo")
    preset: Literal["source-study"] | None = option(
        "source-study: the published protocol, and the honest table under it.", metavar="NAME"
    )


@dataclass(frozen=True)
class RerankOptions:
    """One re-ranker and what it works with."""

    method: MethodName = option(
        "csls, inverted-softmax, qb-norm, dual-softmax, aqe, dba, k-reciprocal, tfidf, bm25.",
        default="csls",
        metavar="METHOD",
    )
    bank: str | None = option("Another split, whose captions are the bank of queries.", metavar="DATASET")
    k: int | None = option("Neighbours. [default: 10; expansions 2, k-reciprocal 20]", min=1, metavar="N")
    tau: float = option("Temperature of the softmax methods.", default=0.02, metavar="X")
    alpha: float = option("Power of the weights of an expansion.", default=3.0, metavar="X")
    weight: str = option(
        "Share of the words, 0 to 1; auto: chosen on --select-on.", default="0.1", metavar="X"
    )
    fusion: Literal["linear", "rrf"] = option(
        "linear (z-scores), or rrf (ranks).", default="linear", metavar="WAY"
    )
    depth: int | None = option("Touch only the first N items of a query.", min=1, metavar="N")
    text_column: str | None = option("Columns of the dataset's table are the text.", metavar="NAME,...")
    texts: Path | None = option("A text of each photograph: a table of image and text.", metavar="FILE")
    own_captions: bool = switch("Its captions are the text of a photograph.", "--own-captions")
    leave_one_out: bool = switch("Without the query's own caption.", "--leave-one-out")
    pseudo: int | None = option("The N nearest captions of --bank are the text.", min=1, metavar="N")
    allow_leak: bool = switch("Let texts contain their queries; the run says so.", "--allow-leak")


@app.command()
@expanded
def prompts(
    dataset: DatasetArgument,
    model: ModelOption,
    prompt: PromptOptions = PromptOptions(),
    select_on: SelectOption = None,
    direction: DirectionOption = "t2i",
    dry_run: Annotated[
        bool, Option("--dry-run", help="Count the strings; only the plain run is made.")
    ] = False,
    encoder: EncoderOptions = EncoderOptions(),
    allow_missing: MissingOption = 0.0,
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Rank under prompt templates, and say whether that is better: on all queries first.

    Every variant is a stored run: clipbench report --compare takes them. A stopped command goes on.
    """
    from clipbench.reports.improving.prompts import dry_run_table
    from clipbench.study.improving.prompt_request import prompt_families, typed_prompts

    at = open_at(store)
    typed = typed_prompts(
        dataset,
        prompt.set,
        prompt.templates,
        (prompt.pool, prompt.tau),
        placebo=prompt.placebo,
        study=prompt.preset is not None,
    ).labelled(at, prompt.labels, prompt.policy, wanted=prompt.by_category)
    with at_work(at, model, encoder, quiet, dataset) as (source, bars):
        families = prompt_families(
            source, typed, select_on, bars, allow_missing, dry_run=dry_run, direction=direction
        )
    if dry_run:
        emit(dry_run_table(families.plain), output)
        return
    _show(families.done, dataset, direction, output, quiet)


@app.command()
@expanded
def rerank(
    dataset: DatasetArgument,
    model: ModelOption,
    ranker: RerankOptions = RerankOptions(),
    select_on: SelectOption = None,
    direction: DirectionOption = "t2i",
    encoder: EncoderOptions = EncoderOptions(),
    allow_missing: MissingOption = 0.0,
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Re-rank by the scores alone or by words, and say whether that is better.

    Methods that look at all test queries together are transductive, and say so; those that need other queries
    take them from --bank.
    """
    from clipbench.study.improving.rerank_request import TypedRerank, reranked

    typed = TypedRerank(
        ranker.method,
        ranker.bank,
        (ranker.k, ranker.tau, ranker.alpha),
        ranker.weight,
        ranker.fusion,
        ranker.depth,
        ranker.texts,
        ranker.pseudo,
        (ranker.own_captions, ranker.leave_one_out, ranker.allow_leak),
        ranker.text_column,
    )
    at = open_at(store)
    with at_work(at, model, encoder, quiet, dataset) as (source, bars):
        done = reranked(source, dataset, typed, select_on, bars, allow_missing, direction=direction)
    _show(done, dataset, direction, output, quiet)


def _show(done: Improved, dataset: str, direction: str, output: OutputOptions, quiet: bool) -> None:
    from clipbench.reports.improving.tables import honest_tables, study_table

    published = [study_table(done.study)] if done.study else []
    emit([*published, *honest_tables(dataset, done.table, done.family, direction=direction)], output)
    if not quiet:
        note(f"note: {done.choice}")
