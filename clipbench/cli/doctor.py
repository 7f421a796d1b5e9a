"""`clipbench doctor`: whether this installation is fit for work."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from clipbench.cli.expanding import expanded
from clipbench.cli.options import EncoderOptions, OutputOptions, StoreOption, flag
from clipbench.cli.output import emit


@expanded
def doctor(
    encoder: EncoderOptions,
    model: Annotated[
        str | None,
        Option("--model", "-m", metavar="MODEL", help="Also check this model: offline files, device parity."),
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
    if self_test:
        checks += health.self_test()
    emit(health_table(checks), output)
    if not all(check.passed for check in checks):
        raise typer.Exit(1)
