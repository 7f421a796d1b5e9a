"""`clipbench serve`: the search page and its API, on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from clipbench.cli import completion
from clipbench.cli.console import note, notes, progress
from clipbench.cli.expanding import expanded, option
from clipbench.cli.opening import model_source, open_at
from clipbench.cli.options import EncoderOptions, QuietOption, StoreOption
from clipbench.cli.search_options import PlaceOptions

if TYPE_CHECKING:
    from clipbench.search_service.application import Access
    from clipbench.search_service.service import SearchService
    from clipbench.store.engine import Store

TOKEN_VARIABLE = "CLIPBENCH_TOKEN"  # noqa: S105, the name of a variable, no password


@dataclass(frozen=True)
class AddressOptions:
    """Where the service listens, and who may use it how much."""

    host: str = option("Address to listen on; 0.0.0.0 lets others in your network in.", default="127.0.0.1")
    port: int = option("Port; 0 takes a free one.", default=8766, min=0, max=65535)
    token: list[str] | None = option(
        f"Key that users need, one for each group of them; better given as ${TOKEN_VARIABLE}, which other "
        "users of the machine do not see. [default: a new one every time]",
        envvar=TOKEN_VARIABLE,
        show_envvar=False,
        show_default=False,
        metavar="TOKEN",
    )
    allow_host: list[str] | None = option("Another name people type to reach this machine.", metavar="NAME")
    rate: float = option(
        "Requests a second that a token may make; 0 for any number.", default=0.0, min=0.0, metavar="NUMBER"
    )


@dataclass(frozen=True)
class GalleryOptions:
    """What is searched, and by which model."""

    dataset: str | None = option(
        "Whose photographs. [default: the only dataset]",
        metavar="DATASET",
        autocompletion=completion.datasets,
        show_default=False,
    )
    index: str | None = option(
        "A stored index of photographs instead of a dataset, which is searched exactly.",
        metavar="INDEX",
        show_default=False,
    )
    setting: list[str] | None = option(
        "How the index is asked: ef=128 (hnsw), nprobe=16 (ivf), refine=4.",
        metavar="NAME=N",
        show_default=False,
    )
    model: str | None = option(
        "As for embed. [default: the one the photographs are embedded with]",
        "--model",
        "-m",
        metavar="MODEL",
        show_default=False,
    )

    def place(self) -> PlaceOptions:
        """Return what is meant as `search` has it. Raises BadParameter for options that contradict one another."""
        place = PlaceOptions(self.dataset, self.index, self.setting, self.model)
        place.check()
        place.settings()
        return place


@expanded
def serve(
    gallery: GalleryOptions = GalleryOptions(),
    address: AddressOptions = AddressOptions(),
    open_browser: Annotated[bool, Option("--open/--no-open", help="Open the page in a browser.")] = False,
    encoder: EncoderOptions = EncoderOptions(),
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Serve a page to search photographs by words or pictures, and the API behind it; Ctrl-C ends it.

    The address holds a key. Photographs without vectors are embedded first. On SIGHUP, or POST /v1/reload,
    it takes up what the store has by then.
    """
    from clipbench.search_service.application import application, require_libraries
    from clipbench.search_service.running import run
    from clipbench.serving.listening import listening

    require_libraries()
    access, home, place = _access(address), open_at(store), gallery.place()
    with listening(address.host, address.port) as listener:
        service = _opened(home, place, encoder, quiet)
        port = int(listener.getsockname()[1])
        app = application(service, access)
        run(app, service, listener, lambda: _tell(address.host, access, port, open_browser), note)


def _opened(home: Store, place: PlaceOptions, encoder: EncoderOptions, quiet: bool) -> SearchService:
    """Return the service of what is meant, warm."""
    from clipbench.search_service.opening import dataset_service, index_service
    from clipbench.study.searching.choosing import chosen_dataset, chosen_source
    from clipbench.study.searching.gallery import lacking
    from clipbench.study.searching.indexed import index_source
    from clipbench.study.workplace.progress import Silent

    named = model_source(home, place.model, encoder) if place.model else None
    if place.index is None:
        name = chosen_dataset(home, place.dataset)
        source = chosen_source(home, name, named, encoder.device)
        count = lacking(home, name, source)
        if count and not quiet:
            note(
                f"note: {count:,} photographs of {name} are embedded first; stopped, the same command goes on"
            )
        with progress(quiet, source) as bars:
            service = dataset_service(home, name, source, bars)
    else:
        source = index_source(home, place.index, named, encoder.device)
        with progress(quiet, source) as bars:
            service = index_service(home, place.index, place.settings(), source, bars)
    left_out = len(service.collection.gallery.left_out)
    if not quiet:
        notes(source.notes)
        notes([f"{left_out:,} photographs cannot be read and are not found"] if left_out else [])
    source.progress = Silent()
    return service


def _access(address: AddressOptions) -> Access:
    """Return who may use the service, with a new key where none was given."""
    from clipbench.search_service.application import Access
    from clipbench.search_service.entrance import checked_tokens
    from clipbench.serving.addresses import host_names, is_open_to_others
    from clipbench.serving.listening import new_token

    if is_open_to_others(address.host):
        note("note: the key travels in the clear: anybody who can read this network's traffic can search too")
    tokens = checked_tokens(address.token or [new_token()])
    return Access(tokens, (*host_names(address.host), *(address.allow_host or ())), address.rate)


def _tell(host: str, access: Access, port: int, open_browser: bool) -> None:
    """Say where the page and the API are once they answer."""
    from clipbench.serving.addresses import addresses

    pages = addresses(host, tuple(access.hosts), port, access.tokens[0])
    typer.echo("Open this address in a browser, all of it:")
    for page in pages:
        typer.echo(f"  {page}")
    origin = pages[0].removesuffix(f"{access.tokens[0]}/")
    typer.echo(f"For programs: {origin}v1/search/text, with Authorization: Bearer {access.tokens[0]}")
    note("Ctrl-C ends it; what was asked by then is answered")
    if open_browser:
        typer.launch(pages[0])
