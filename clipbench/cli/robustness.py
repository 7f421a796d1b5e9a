"""`clipbench robustness`: corrupt captions and photographs, and see what retrieval makes of it."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option

from clipbench.cli import robustness_gallery, robustness_inputs, robustness_sweep
from clipbench.cli.expanding import expanded
from clipbench.cli.opening import open_at
from clipbench.cli.options import OutputOptions, StoreOption
from clipbench.cli.output import emit

app = typer.Typer(no_args_is_help=True, help="Corrupt captions and photographs, and measure what that costs.")


@app.command("list")
@expanded
def list_(
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="An operation, family or preset, to see it alone.")
    ] = None,
    family: Annotated[str | None, Option(metavar="FAMILY", help="Only this family, e.g. word-order.")] = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """List every operation with its family, levels and whether it keeps the meaning, then the presets.

    `clipbench robustness list NAME` shows all that is known of one.
    """
    from clipbench.reports import operations

    if name is not None:
        emit(operations.operation_or_preset(name), output)
        return
    lists = [operations.operation_list(family)] if output.for_programs else operations.operation_lists(family)
    emit([*lists, operations.preset_list()], output)


app.command("preview")(robustness_inputs.preview)
app.command("sweep")(robustness_sweep.sweep)
app.command("gallery")(robustness_gallery.gallery)
app.command("export")(robustness_inputs.export)


@app.command()
@expanded
def sweeps(
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """List the stored sweeps; `clipbench report --sweep NAME` prints one again."""
    from clipbench.reports.sweeps.report import stored_sweeps

    emit(stored_sweeps(open_at(store, to_read=True)), output)
