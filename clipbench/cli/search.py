"""`clipbench search`: photographs found by words, by a picture, or by what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from clipbench.cli import completion
from clipbench.cli.console import note, progress
from clipbench.cli.expanding import expanded, option
from clipbench.cli.opening import model_source, open_at
from clipbench.cli.options import EncoderOptions, OutputOptions, QuietOption, StoreOption, flag
from clipbench.cli.output import emit

if TYPE_CHECKING:
    from clipbench.study.searching.asking import Asked


@dataclass(frozen=True)
class QueryOptions:
    """What is asked for besides words."""

    image: list[Path] | None = option("A picture to search by; several times for several.", metavar="FILE")
    like: list[str] | None = option(
        "A photograph of the dataset to search by; needs no model.", metavar="IMAGE_ID"
    )
    caption: list[str] | None = option("A stored caption to search by; needs no model.", metavar="ID")
    without: list[str] | None = option("Words for what shall not be seen.", metavar="WORDS")
    weight: list[str] | None = option(
        "words=2, image=1, like, caption, without: how much a part counts. [default: 1, without 0.5]",
        metavar="PART=X",
    )

    def asked(self, words: list[str] | None) -> Asked:
        """Return the query. Raises BadParameter for a weight that is no number."""
        from clipbench.study.searching.asking import Asked

        return Asked(
            " ".join(words) if words else None,
            tuple(self.image or ()),
            tuple(self.like or ()),
            tuple(self.caption or ()),
            tuple(self.without or ()),
            dict(_weight(text) for text in self.weight or ()),
        )


def _weight(text: str) -> tuple[str, float]:
    part, _, number = text.partition("=")
    try:
        return part, float(number)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no weight; --weight words=2") from None


@expanded
def search(
    words: Annotated[list[str] | None, Argument(metavar="WORDS", help="What shall be seen.")] = None,
    query: QueryOptions = QueryOptions(),
    dataset: Annotated[
        str | None,
        Option(
            metavar="DATASET",
            help="Where to search. [default: the only one]",
            autocompletion=completion.datasets,
        ),
    ] = None,
    model: Annotated[
        str | None,
        Option("--model", "-m", metavar="MODEL", help="As embed takes it. [default: the only one in use]"),
    ] = None,
    encoder: EncoderOptions = EncoderOptions(),
    top: Annotated[int, Option("--top", "-n", min=1, metavar="N", help="How many to show.")] = 10,
    min_score: Annotated[
        float | None, Option(metavar="X", help="Leave out what scores less; cosines differ by model.")
    ] = None,
    paths: Annotated[bool, flag("--paths", says="Print the paths alone, one a line.")] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Find photographs by words, by a picture, or by a photograph or caption that is stored.

    Photographs that have no vectors yet are embedded first.
    """
    from clipbench.reports.searching.tables import hit_table
    from clipbench.study.searching.asking import find
    from clipbench.study.searching.choosing import chosen_dataset, chosen_source
    from clipbench.study.searching.gallery import open_gallery

    at = open_at(store)
    name = chosen_dataset(at, dataset)
    source = chosen_source(at, name, model_source(at, model, encoder) if model else None, encoder.device)
    with progress(quiet, source) as bars:
        gallery = open_gallery(at, name, source, bars)
        found = find(gallery, source, query.asked(words), top, min_score)
    if not quiet and gallery.left_out:
        note(f"note: {len(gallery.left_out):,} photographs cannot be read and are not searched")
    if paths:
        for row in hit_table(found).rows:
            typer.echo(row[-1])
    else:
        emit(hit_table(found), output.chosen)
