"""Where a command encodes: in this process, or on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer

from clipbench.cli.console import note
from clipbench.cli.expanding import option

if TYPE_CHECKING:
    from clipbench.study.cluster.connection import Asked
    from clipbench.study.embedding.models import VectorSource

PANEL = "Several machines"


@dataclass(frozen=True)
class EngineOptions:
    """Who encodes, and for a cluster where it is and how much of it is taken."""

    engine: Literal["local", "ray"] = option(
        "local: this process. ray: workers on a Ray cluster (docs/scale.md).", default="local", panel=PANEL
    )
    address: str | None = option(
        "Ray cluster: auto, HOST:PORT or ray://HOST:PORT. [default: one of this machine alone]",
        panel=PANEL,
        metavar="ADDRESS",
    )
    workers: int | None = option(
        "Workers, each with the model. [default: one a GPU; without any, as many as find their threads]",
        panel=PANEL,
        metavar="N",
        min=1,
    )
    gpus_per_worker: float | None = option(
        "GPUs of a worker, below 1 for several on one. [default: 1 where there are any]",
        panel=PANEL,
        metavar="G",
        min=0,
    )

    @property
    def asked(self) -> Asked | None:
        """The cluster that is asked for, None for this process."""
        from clipbench.study.cluster.connection import Asked

        return None if self.engine == "local" else Asked(self.address, self.workers, self.gpus_per_worker)

    def __post_init__(self) -> None:
        """Raise BadParameter for options of a cluster where none is to be used."""
        given = {
            "--address": self.address,
            "--workers": self.workers,
            "--gpus-per-worker": self.gpus_per_worker,
        }
        typed = [name for name, value in given.items() if value is not None]
        if self.engine == "local" and typed:
            raise typer.BadParameter(f"{typed[0]} goes with --engine ray")


@contextmanager
def engine_of(source: VectorSource, options: EngineOptions, quiet: bool) -> Iterator[None]:
    """Have a source's vectors made where the options say; a cluster is left at the end."""
    asked = options.asked
    if asked is None:
        yield
        return
    from clipbench.study.cluster.engine import RayEngine

    def tell(words: str) -> None:
        if not quiet:
            note(f"note: {words}")

    with RayEngine(asked, tell) as engine:
        source.engine = engine
        yield
