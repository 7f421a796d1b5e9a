"""Where the numbers of a page come from: keys, versions, and the commands that make each of them again."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench import __version__
from clipbench.reports.html.elements import Child, Markup, element, joined, quoted
from clipbench.reports.html.tables import table_markup
from clipbench.reports.runs import run_facts
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.runs import StoredRun


def provenance(runs: Sequence[StoredRun], command: str) -> Markup:
    """Return the footer: the command of this page, then every run with its keys and its command."""
    parts: list[Child] = [
        element("h2", {}, "Where this comes from"),
        element(
            "p", {}, f"clipbench {__version__} wrote this page from its store; nothing was measured anew:"
        ),
        _command(command),
        element("p", {}, "The commands that made the runs, each once:"),
    ]
    parts += [_command(one) for one in dict.fromkeys(run.command for run in runs)]
    parts.append(
        element("p", {}, "A run is what its key says: data, model down to the weights, setting, protocol.")
    )
    parts.append(table_markup(_keys(runs), heading="Keys"))
    parts.append(table_markup(_versions(runs), heading="Versions"))
    return joined(parts)


def _command(text: str) -> Markup:
    return element("code", {"class": "command"}, quoted(text))


def _keys(runs: Sequence[StoredRun]) -> Table:
    columns = ("run", "dataset fingerprint", "encoder", "perturbation", "metric version", "stored")
    rows = [
        (
            run.key,
            run.fingerprint,
            run.encoder,
            run.perturbation.key,
            str(run.spec.metric_version),
            f"{run.created_at:%Y-%m-%d %H:%M} UTC",
        )
        for run in runs
    ]
    return Table("", tuple(Column(name) for name in columns), tuple(rows))


VERSIONS = ("clipbench", "python", "platform", "machine", "libraries", "git", "device")


def _versions(runs: Sequence[StoredRun]) -> Table:
    """Return what the runs were made with, runs of the same environment in one row."""
    told: dict[tuple[str, ...], int] = {}
    for run in runs:
        facts = {str(row[0]): str(row[1]) for row in run_facts(run).rows}
        key = tuple(facts.get(name, "-") for name in VERSIONS)
        told[key] = told.get(key, 0) + 1
    rows: tuple[tuple[Cell, ...], ...] = tuple((count, *key) for key, count in told.items())
    return Table("", (Column("runs"), *(Column(name) for name in VERSIONS)), rows)
