"""`clipbench browse`: a page to look through the store with, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Annotated

import typer
from typer import Option

from clipbench.cli.console import note
from clipbench.cli.opening import open_at
from clipbench.cli.options import StoreOption


def browse(
    host: Annotated[
        str, Option(help="Address to listen on; 0.0.0.0 lets others in your network in.")
    ] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8767,
    allow_host: Annotated[
        list[str] | None, Option(help="Another name or address people type to reach this machine.")
    ] = None,
    open_browser: Annotated[bool, Option("--open/--no-open", help="Open the page in a browser.")] = False,
    store: StoreOption = None,
) -> None:
    """Serve a page to look through the store: runs, comparisons, queries, sweeps, photographs. Ctrl-C ends it.

    It writes nothing. The address holds a key that is new every time.
    """
    from clipbench.browse_page.application import application
    from clipbench.browse_page.looking import Looking
    from clipbench.serving.addresses import addresses, host_names, is_open_to_others
    from clipbench.serving.listening import new_token
    from clipbench.serving.listening import serve as serve_app

    look = Looking(open_at(store, to_read=True), "" if store is None else f"--store {quote(str(store))}")
    if is_open_to_others(host):
        note("note: the key travels in the clear: anybody who can read this network's traffic can look too")
    token, names = new_token(), (*host_names(host), *(allow_host or ()))
    app = application(look, token, names)
    serve_app(app, host, port, lambda number: _tell(addresses(host, names, number, token), open_browser))


def _tell(addresses: Sequence[str], open_browser: bool) -> None:
    """Say where the page is once it answers."""
    typer.echo("Open this address in a browser, all of it:")
    for address in addresses:
        typer.echo(f"  {address}")
    note("the page only reads; Ctrl-C ends it")
    if open_browser:
        typer.launch(addresses[0])
