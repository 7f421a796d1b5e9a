"""`clipbench annotate serve | export-page | export`: the page, on this machine or as a file, and other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipbench.cli.annotate_draw import SampleArgument
from clipbench.cli.console import note, progress
from clipbench.cli.options import QuietOption, StoreOption

AnnotatorOption = Annotated[str | None, typer.Option("--annotator", help="Only this annotator.")]
PartOption = Annotated[
    str | None, typer.Option(help="Only this part of the assignment: overlap, backup, or a name.")
]
BlindOption = Annotated[bool, typer.Option("--blind", help="Do not tell which picture is the caption's own.")]
HintsOption = Annotated[bool, typer.Option("--hints", help="Show hints found by rules; they sway people.")]


def serve(
    sample: SampleArgument = "latest",
    annotator: AnnotatorOption = None,
    part: PartOption = None,
    blind: BlindOption = False,
    hints: HintsOption = False,
    conflicts: Annotated[
        bool, typer.Option("--conflicts", help="Show what annotators disagree on; choices are decisions.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets phones in your network in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name or address people type to reach this machine.")
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Serve the annotation page on this machine. Every choice is stored at once; Ctrl-C ends it.

    The address holds a key that is new every time. Give it only to people who may label.
    """
    from clipbench.annotation_page.application import application
    from clipbench.serving.addresses import addresses, host_names, is_open_to_others
    from clipbench.serving.listening import new_token
    from clipbench.serving.listening import serve as serve_app
    from clipbench.study.annotation.session import open_session
    from clipbench.study.opening import open_at

    session = open_session(open_at(store), sample, part=part, blind=blind, hints=hints, deciding=conflicts)
    if annotator is not None:
        session.tasks(annotator)
    token = new_token()
    names = (*host_names(host), *(allow_host or ()))
    app = application(session, token, annotator=annotator, hosts=names)

    def ready(number: int) -> None:
        found = addresses(host, names, number, token)
        typer.echo("Open this address in a browser, all of it:")
        for address in found:
            typer.echo(f"  {address}")
        note("every choice is saved at once; Ctrl-C ends the page")
        if is_open_to_others(host):
            note(
                "note: the key travels in the clear: anybody who can read this network's traffic can label too"
            )
        if open_browser:
            typer.launch(found[0])

    serve_app(app, host, port, ready)


def export_page(
    sample: SampleArgument = "latest",
    annotator: Annotated[
        str, typer.Option("--annotator", help="Whose part the page holds.", show_default=False)
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write. [default: label_NAME.html]", show_default=False),
    ] = None,
    part: PartOption = None,
    blind: BlindOption = False,
    hints: HintsOption = False,
    side: Annotated[int, typer.Option(min=128, max=2048, help="Pixels of a picture's longer side.")] = 640,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the page as one HTML file, pictures inside, for annotators without Python.

    It opens from the disk without a network; the result file that it gives goes into `annotate import`.
    """
    from clipbench.annotation_page.exported_page import export_page as export
    from clipbench.study.annotation.session import open_session
    from clipbench.study.opening import open_at

    if not annotator:
        raise typer.BadParameter("name the annotator: --annotator NAME")
    session = open_session(open_at(store), sample, part=part, blind=blind, hints=hints)
    target = out or Path(f"label_{annotator}.html")
    with progress(quiet) as bars:
        count = export(session, annotator, target, bars, side=side, force=force)
    typer.echo(f"{target}: {count} captions for {annotator}, {target.stat().st_size / 1e6:.1f} MB")
    note(f"next: send it; then clipbench annotate import labels_{annotator}.json")
