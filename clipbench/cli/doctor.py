"""`clipbench doctor`: whether this installation is fit for work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from clipbench.cli import completion
from clipbench.cli.expanding import expanded
from clipbench.cli.options import EncoderOptions, OutputOptions, StoreOption, flag
from clipbench.cli.output import emit

if TYPE_CHECKING:
    from clipbench.encoders.request import ModelRequest
    from clipbench.study.installation.health import Examined


@expanded
def doctor(
    encoder: EncoderOptions,
    model: Annotated[
        str | None,
        Option("--model", "-m", metavar="MODEL", help="Also check this model: offline files, device parity."),
    ] = None,
    parity: Annotated[
        str | None,
        Option(
            "--parity",
            metavar="DATASET",
            help="Also measure on this dataset what --precision (int8 unless said) loses against fp32.",
            autocompletion=completion.datasets,
        ),
    ] = None,
    self_test: Annotated[
        bool, flag("--self-test", says="Run the metrics on cases whose answers are known.")
    ] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Check the installation, a model's offline readiness and device parity, and the metrics themselves.

    Exits 1 if anything failed.
    """
    from clipbench.home import locate
    from clipbench.reports.stores import health_table
    from clipbench.study.embedding.models import ModelRequest
    from clipbench.study.installation import health

    request = ModelRequest(model or "demo", encoder.pretrained, encoder.precision, encoder.device)
    checks = [*health.installation(locate(store)), health.offline(request)]
    if model is not None and checks[-1].passed:
        checks.append(health.parity(request))
    if parity is not None:
        checks += _parity(store, parity, request)
    if self_test:
        checks += health.self_test()
    emit(health_table(checks), output)
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


def _parity(store: Path | None, dataset: str, request: ModelRequest) -> Iterator[Examined]:
    from clipbench.cli.opening import open_at
    from clipbench.study.installation.parity import precision_parity

    coarse = replace(request, precision="int8") if request.precision == "fp32" else request
    return precision_parity(open_at(store, to_read=True), dataset, coarse)
