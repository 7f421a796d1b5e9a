"""Options that several `clipbench annotate` commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Policy(StrEnum):
    """How a failure with several labels counts."""

    majority = "majority"
    first = "first"
    last = "last"
    drop_conflicts = "drop-conflicts"
    adjudicated = "adjudicated"
    count_all = "count-all"


SampleOption = Annotated[
    str | None, typer.Option("--sample", help="Only failures of this sample: its key's beginning, or latest.")
]
DatasetOption = Annotated[str | None, typer.Option("--dataset", help="Only failures of this dataset.")]
ConfidenceOption = Annotated[float, typer.Option(min=0.51, max=0.999, help="Confidence of intervals.")]
