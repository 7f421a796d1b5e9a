"""`clipbench models`: which models are on this machine, and which names there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from clipbench.cli.expanding import expanded
from clipbench.cli.options import OutputOptions, StoreOption, flag
from clipbench.cli.output import emit


@expanded
def models(
    word: Annotated[
        str | None, Argument(metavar="WORD", help="Only names that hold this, or are nearest to it.")
    ] = None,
    folders: Annotated[
        list[Path] | None,
        Option("--in", metavar="FOLDER", help="Look for models in this folder besides the current one."),
    ] = None,
    every: Annotated[bool, flag("--all", says="List every name that open_clip knows.")] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """List the models on this machine with their sizes, then the usual names of open_clip."""
    from clipbench.encoders.machine import USUAL, known_names, matching
    from clipbench.home import locate
    from clipbench.reports.models import local_table, names_table, usual_table
    from clipbench.study.installation.models_here import models_here

    here, wide = models_here(locate(store), [Path(), *(folders or ())]), output.for_programs
    if word is not None:
        own = {(one.model, one.pretrained or ""): one for one in here}
        here = tuple(own[name] for name in matching(word, own))
        rest = names_table(matching(word, known_names()), word)
    else:
        rest = names_table(known_names()) if every else usual_table(USUAL, wide=wide)
    emit([local_table(here, word or "", wide=wide), rest], output)
