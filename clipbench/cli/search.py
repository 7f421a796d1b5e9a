"""`clipbench search`: photographs found by words, by a picture, or by what is stored."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from clipbench.cli.expanding import expanded
from clipbench.cli.options import EncoderOptions, OutputOptions, QuietOption, StoreOption, flag
from clipbench.cli.search_options import LookOptions, PlaceOptions, QueryOptions
from clipbench.cli.search_places import opened
from clipbench.cli.search_results import show
from clipbench.cli.search_watching import watch_queries


@expanded
def search(
    words: Annotated[list[str] | None, Argument(metavar="WORDS", help="What shall be seen.")] = None,
    query: QueryOptions = QueryOptions(),
    where: PlaceOptions = PlaceOptions(),
    encoder: EncoderOptions = EncoderOptions(),
    look: LookOptions = LookOptions(),
    watch: Annotated[bool, flag("--watch", says="Keep the model and ask query after query.")] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Find photographs by words, by a picture, or by a photograph or caption that is stored.

    Photographs that have no vectors yet are embedded first. Scores are cosines, and there is none above which a
    photograph is a match: look at the gap to the first, and at the percentile among all scores.
    """
    look.check(watch, output)
    asked = None if watch and query.empty(words) else query.asked(words)
    with opened(where, encoder, store, quiet, watch=watch) as place:
        found = None if asked is None else place.find(asked)
    if found is not None:
        show(place, found, look, output)
    if watch:
        watch_queries(place, query, look, output)
