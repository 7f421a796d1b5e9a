"""A store as Python users have it: the main verbs as methods, and every other command through `do`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.api.commands import call
from clipbench.api.result import Result
from clipbench.home import locate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Store:
    """An experiment store at a folder, made when something is first put into it.

    Options of methods are those of the command of the same meaning, with _ in place of -: `dry_run=True`. Every
    method raises ClipbenchError with what to do next, and returns a `Result`.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = locate(None if folder is None else Path(folder)).root

    def __repr__(self) -> str:
        return f"clipbench.open({str(self.folder)!r})"

    def do(self, command: str, *arguments: object, **options: object) -> Result:
        """Run any command: `store.do("annotate sample", "latest", n=200, seed=42)`."""
        return call(self.folder, command, arguments, options)

    def add_dataset(self, name: str, captions: str | Path | None = None, **options: object) -> Result:
        """Bring a captioned image collection in, as `clipbench dataset add`: images=, format=, split=, ..."""
        return self.do("dataset add", name, **_format(options), captions=captions)

    def datasets(self) -> Result:
        """List the datasets."""
        return self.do("dataset list")

    def embed(self, dataset: str, *, model: str, **options: object) -> Result:
        """Turn a dataset into vectors."""
        return self.do("embed run", dataset, model=model, **options)

    def evaluate(self, dataset: str, *, model: str | Sequence[str], **options: object) -> Result:
        """Measure retrieval in both directions; several models are ranked, every pair tested."""
        return self.do(
            "evaluate", dataset, model=[model] if isinstance(model, str) else list(model), **options
        )

    def sweep(
        self, dataset: str, *, model: str, perturb: str | Sequence[str] = (), **options: object
    ) -> Result:
        """Measure retrieval under perturbations; the result has a figure of the first metric against the level."""
        operations = [perturb] if isinstance(perturb, str) else list(perturb)
        found = self.do("robustness sweep", dataset, model=model, perturb=operations, **options)
        # By its own name: the newest sweep may be another one, where this was stored before.
        return replace(found, draw=lambda: self._curve(str(found.rows[0]["sweep"])))

    def compare(self, *runs: str, **options: object) -> Result:
        """Is the difference between runs real? The first is the baseline: "latest:clean", "latest:word-dropout=0.3"."""
        return self.do("report", *runs, compare=True, **options)

    def leaderboard(self, **options: object) -> Result:
        """Rank models and methods on the same queries, every pair tested."""
        return self.do("report", leaderboard=True, **options)

    def runs(self, **filters: object) -> Result:
        """List the stored runs, newest first: dataset=, model=, tag=, ..."""
        return self.do("report", **filters)

    def improve_prompts(self, dataset: str, *, model: str, **options: object) -> Result:
        """Rank under prompt templates, and say whether that is better."""
        return self.do("improve prompts", dataset, model=model, **options)

    def rerank(self, dataset: str, *, model: str, method: str, **options: object) -> Result:
        """Re-rank, and say whether that is better."""
        return self.do("improve rerank", dataset, model=model, method=method, **options)

    def adapt(self, train: str, *, val: str, model: str, **options: object) -> Result:
        """Train a head on stored vectors: head=, loss=, alpha=, name=, ..."""
        return self.do("adapt train", train, val=val, model=model, **options)

    def search(self, words: str | None = None, **options: object) -> Result:
        """Find photographs: dataset=, model=, image=, like=, top=, where=, ..."""
        return self.do("search", *(() if words is None else (words,)), **options)

    def query(self, sql: str) -> Result:
        """Ask the store in SQL, which is only read."""
        return self.do("report", query=sql)

    def _curve(self, name: str) -> Figure:
        from clipbench.reports.figures.style import require_matplotlib
        from clipbench.reports.sweeps.figures import first_figure
        from clipbench.store.engine import open_store
        from clipbench.study.robustness.named_sweeps import read_sweeps

        require_matplotlib()
        return first_figure(read_sweeps(open_store(locate(self.folder), create=False, to_read=True), name))


def open(folder: str | Path | None = None) -> Store:  # noqa: A001, cb.open is what people type
    """Return the store at `folder`, else at $CLIPBENCH_STORE, else at ./clipbench-store. Nothing is made yet."""
    return Store(folder)


def _format(options: dict[str, object]) -> dict[str, object]:
    """Return the options with `format` under the name that the command has for it."""
    return {"form" if name == "format" else name: value for name, value in options.items()}
