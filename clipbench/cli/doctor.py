"""`clipbench doctor`: whether this installation is fit for work."""

from __future__ import annotations

from typing import Annotated

import typer

from clipbench.cli.options import (
    Device,
    DeviceOption,
    Format,
    FormatOption,
    JsonOption,
    Precision,
    PrecisionOption,
    PretrainedOption,
    StoreOption,
    flag,
)
from clipbench.cli.output import chosen, emit


def doctor(
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="Also check this model: offline files, device parity."
        ),
    ] = None,
    pretrained: PretrainedOption = None,
    precision: PrecisionOption = Precision.fp32,
    device: DeviceOption = Device.auto,
    self_test: Annotated[
        bool, flag("--self-test", says="Run the metrics on cases whose answers are known.")
    ] = False,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Check the installation, a model's offline readiness and device parity, and the metrics themselves.

    Exits 1 if anything failed.
    """
    from clipbench.home import locate
    from clipbench.reports.stores import health_table
    from clipbench.study import health
    from clipbench.study.models import ModelRequest

    found = list(health.installation(locate(store)))
    request = ModelRequest(model or "demo", pretrained, precision, device)
    found.append(health.offline(request))
    if model is not None and found[-1].passed:
        found.append(health.parity(request))
    if self_test:
        found += health.self_test()
    emit(health_table(found), chosen(form, json))
    if not all(e.passed for e in found):
        raise typer.Exit(1)
