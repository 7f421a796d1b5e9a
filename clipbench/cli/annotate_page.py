"""`clipbench annotate serve | export-page | export`: the page, on this machine or as a file, and other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from clipbench.cli.annotate_options import PageOptions, SampleArgument
from clipbench.cli.console import note, progress
from clipbench.cli.expanding import expanded
from clipbench.cli.opening import open_at
from clipbench.cli.options import ForceOption, QuietOption, StoreOption, flag
from clipbench.cli.page import ReachOptions, serve_page
from clipbench.wording import plural


@expanded
def serve(
    page: PageOptions,
    sample: SampleArgument = "latest",
    annotator: Annotated[str | None, Option(help="Only this annotator.")] = None,
    conflicts: Annotated[
        bool, flag("--conflicts", says="Show what annotators disagree on; choices are decisions.")
    ] = False,
    reach: ReachOptions = ReachOptions(),
    port: Annotated[int, Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    store: StoreOption = None,
) -> None:
    """Serve the annotation page on this machine. Every choice is stored at once; Ctrl-C ends it.

    The address holds a key that is new every time. Give it only to people who may label.
    """
    from clipbench.annotation_page.application import application
    from clipbench.study.annotation.session import open_session

    session = open_session(
        open_at(store), sample, part=page.part, blind=page.blind, hints=page.hints, deciding=conflicts
    )
    if annotator is not None:
        session.tasks(annotator)  # refuses a name that nothing was assigned to
    serve_page(
        reach,
        port,
        lambda token, names: application(session, token, annotator=annotator, hosts=names),
        "label",
        "every choice is saved at once; Ctrl-C ends the page",
    )


@expanded
def export_page(
    page: PageOptions,
    sample: SampleArgument = "latest",
    annotator: Annotated[
        str, Option("--annotator", help="Whose part the page holds.", show_default=False)
    ] = "",
    out: Annotated[
        Path | None,
        Option("--out", "-o", help="File to write. [default: label_NAME.html]", show_default=False),
    ] = None,
    side: Annotated[int, Option(min=128, max=2048, help="Pixels of a picture's longer side.")] = 640,
    force: ForceOption = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the page as one HTML file, pictures inside, for annotators without Python.

    It opens from the disk without a network; the result file that it gives goes into `annotate import`.
    """
    from clipbench.annotation_page.exported_page import export_page as export
    from clipbench.study.annotation.session import open_session

    if not annotator:
        raise typer.BadParameter("name the annotator: --annotator NAME")
    at = open_at(store, to_read=True)
    session = open_session(at, sample, part=page.part, blind=page.blind, hints=page.hints)
    target = out or Path(f"label_{annotator}.html")
    with progress(quiet) as bars:
        count = export(session, annotator, target, bars, side=side, force=force)
    typer.echo(f"{target}: {plural(count, 'caption')} for {annotator}, {target.stat().st_size / 1e6:.1f} MB")
    note(f"next: send it; then clipbench annotate import labels_{annotator}.json")
