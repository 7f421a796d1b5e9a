"""Where the numbers of a page come from: keys, versions, and the commands that make each of them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.reports.runs import run_facts
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.runs import StoredRun
from clipbench.version import __version__


@dataclass(frozen=True)
class Provenance:
    """The command of a page, and of its runs each command once, the keys and the versions."""

    command: str
    commands: tuple[str, ...]
    keys: Table
    versions: Table
    version: str = __version__


def provenance(runs: Sequence[StoredRun], command: str) -> Provenance:
    """Return where a page about runs comes from."""
    commands = tuple(dict.fromkeys(run.command for run in runs))
    return Provenance(command, commands, _keys(runs), _versions(runs))


def _keys(runs: Sequence[StoredRun]) -> Table:
    rows = [
        {
            "run": run.key,
            "dataset fingerprint": run.fingerprint,
            "encoder": run.encoder,
            "perturbation": run.perturbation.key,
            "metric version": str(run.spec.metric_version),
            "stored": f"{run.created_at:%Y-%m-%d %H:%M} UTC",
        }
        for run in runs
    ]
    return Table("", tuple(map(Column, rows[0])), tuple(tuple(row.values()) for row in rows))


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
