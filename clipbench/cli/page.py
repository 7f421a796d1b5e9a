"""What every page of this machine has in common: who may reach it, and what is said once it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from clipbench.cli.console import note

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@dataclass(frozen=True)
class ReachOptions:
    """Who reaches a page."""

    host: Annotated[str, Option(help="Address to listen on; 0.0.0.0 lets others in your network in.")] = (
        "127.0.0.1"
    )
    allow_host: Annotated[
        list[str] | None, Option(help="Another name or address people type to reach this machine.")
    ] = None
    open_browser: Annotated[bool, Option("--open/--no-open", help="Open the page in a browser.")] = False


def serve_page(
    reach: ReachOptions, port: int, made: Callable[[str, tuple[str, ...]], ASGIApp], can: str, last: str
) -> None:
    """Serve a page until Ctrl-C and say where it is.

    made: the application of a token and the names that may reach it. can: what others could do who read the
    network's traffic. last: what is said of the page beneath its addresses.
    """
    from clipbench.serving.addresses import addresses, host_names, is_open_to_others
    from clipbench.serving.listening import new_token, serve

    if is_open_to_others(reach.host):
        note(f"note: the key travels in the clear: anybody who can read this network's traffic can {can} too")
    token, names = new_token(), (*host_names(reach.host), *(reach.allow_host or ()))

    def tell(number: int) -> None:
        places = addresses(reach.host, names, number, token)
        typer.echo("Open this address in a browser, all of it:")
        for place in places:
            typer.echo(f"  {place}")
        note(last)
        if reach.open_browser:
            typer.launch(places[0])

    serve(made(token, names), reach.host, port, tell)
