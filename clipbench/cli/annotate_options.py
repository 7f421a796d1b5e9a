"""Options that several `clipbench annotate` commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from typer import Argument, Option

from clipbench.cli.expanding import option, switch

if TYPE_CHECKING:
    from clipbench.store.engine import Store
    from clipbench.study.annotation.labels import Scope


Policy: TypeAlias = Literal["majority", "first", "last", "drop-conflicts", "adjudicated", "count-all"]
"""How a failure with several labels counts."""

PolicyOption = Annotated[Policy, Option(help="How a failure with several labels counts.")]
SampleArgument = Annotated[str, Argument(help="Beginning of a sample's key, or `latest`.")]


@dataclass(frozen=True)
class LabelOptions:
    """Which labels are meant."""

    sample: str | None = option("Only failures of this sample: its key's beginning, or latest.")
    dataset: str | None = option("Only failures of this dataset.")

    def scope(self, store: Store) -> Scope:
        """Return the labels. Raises ClipbenchError where there are none, or of several datasets."""
        from clipbench.study.annotation.labels import scope

        return scope(store, self.sample, self.dataset)


@dataclass(frozen=True)
class PageOptions:
    """What an annotator is shown."""

    part: str | None = option("Only this part of the assignment: overlap, backup, or a name.")
    blind: bool = switch("Do not tell which picture is the caption's own.", "--blind")
    hints: bool = switch("Show hints found by rules; they sway people.", "--hints")


def names_of(annotators: str) -> tuple[str, ...]:
    """Return the names in "A, B,C"."""
    return tuple(name.strip() for name in annotators.split(",") if name.strip())
