"""`clipbench browse`: a page to look through the store with, on this machine."""

from __future__ import annotations

from shlex import quote
from typing import Annotated

from typer import Option

from clipbench.cli.expanding import expanded
from clipbench.cli.opening import open_at
from clipbench.cli.options import StoreOption
from clipbench.cli.page import ReachOptions, serve_page


@expanded
def browse(
    reach: ReachOptions = ReachOptions(),
    port: Annotated[int, Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8767,
    store: StoreOption = None,
) -> None:
    """Serve a page to look through the store: runs, comparisons, queries, sweeps, photographs. Ctrl-C ends it.

    It writes nothing. The address holds a key that is new every time.
    """
    from clipbench.browse_page.application import application
    from clipbench.browse_page.looking import Looking

    look = Looking(open_at(store, to_read=True), "" if store is None else f"--store {quote(str(store))}")
    serve_page(
        reach,
        port,
        lambda token, names: application(look, token, names),
        "look",
        "the page only reads; Ctrl-C ends it",
    )
