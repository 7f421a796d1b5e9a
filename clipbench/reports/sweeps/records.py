"""Tables of a sweep for programs: every number of every effect, and every run with its setting and audit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from clipbench.keys import Json
from clipbench.reports.left_out import left_out_words
from clipbench.reports.tables import Cell, Column, Table
from clipbench.statistics.intervals import Interval
from clipbench.store.embeddings import find_set
from clipbench.store.engine import Store
from clipbench.store.queries import metrics_of
from clipbench.store.runs import StoredRun, find_run
from clipbench.store.sweeps import StoredSweep
from clipbench.study.robustness.measures import Effect, Name, SweepSummary

FACTS = ("queries", "gallery", "tied-queries")
"""Metrics that are facts about a run, as chance levels are: they have no spread and no drop."""

Record = Mapping[str, Cell]


def effect_records(summary: SweepSummary) -> Table:
    """Return one row per operation and level: every metric with spread over seeds, interval and drop."""
    run = summary.clean_run
    head: dict[str, Cell] = {"sweep": summary.sweep.name, "dataset": run.dataset_name, "model": run.model}
    gone = run.left_out
    head |= {"clean left out": len(gone.reasons), "clean left out why": left_out_words(gone)}
    clean: dict[str, Cell] = {**head, "operation": "clean", "target": "none", "level": 0.0, "seeds": 1}
    for name, value in summary.clean.items():
        low, high = summary.clean_bounds.get(name, (None, None))
        clean[_stem(name)] = value
        if not _is_fact(name):
            clean |= {f"{_stem(name)} sd": None, f"{_stem(name)} low": low, f"{_stem(name)} high": high}
            clean |= {f"{_stem(name)} drop{end}": None for end in ("", " low", " high")}
    return _table("Effects", [clean, *({**head, **_effect(effect)} for effect in summary.effects)])


def _effect(effect: Effect) -> Record:
    found: dict[str, Cell] = {
        "operation": effect.operation,
        "target": effect.target,
        "level": effect.level,
        "seeds": len(next(iter(effect.values.values())).values),
    }
    for name, value in effect.values.items():
        found[_stem(name)] = value.mean
        if not _is_fact(name):
            drop, around = effect.drops.get(name, (None, None))
            found |= {f"{_stem(name)} sd": value.sd, **_ends(_stem(name), effect.bounds.get(name))}
            found |= {f"{_stem(name)} drop": drop, **_ends(f"{_stem(name)} drop", around)}
    for name, share in effect.kept.items():
        found |= {f"{_stem(name)} kept": share, f"{_stem(name)} gained": effect.gained.get(name)}
    return {**found, **_audit_cells(effect.audit)}


def _ends(stem: str, bound: Interval | None) -> Record:
    return {f"{stem} low": bound.low if bound else None, f"{stem} high": bound.high if bound else None}


def setting_records(store: Store, sweep: StoredSweep) -> Table:
    """Return one row per run: its setting, parameters, metrics, and the audit of what it did."""
    runs = [run for key in sweep.runs if (run := find_run(store, key)) is not None]
    numbers = metrics_of(store, [run.key for run in runs])
    records: list[Record] = []
    for run in runs:
        setting = run.perturbation
        head: Record = {
            "run": run.key,
            "operation": setting.operation,
            "target": setting.target,
            "level": setting.level,
            "seed": setting.seed,
            "parameters": json.dumps(dict(setting.parameters), sort_keys=True),
            "left out": len(run.left_out.reasons),
            "left out why": left_out_words(run.left_out),
        }
        values = {_stem((m.direction, m.name)): m.value for m in numbers[run.key]}
        records.append({**head, **values, **_audit_cells(_audit(store, run))})
    return _table("Settings", records)


def _audit(store: Store, run: StoredRun) -> Mapping[str, Json]:
    target = run.perturbation.target
    if target == "none":
        return {}
    found = find_set(store, run.spec.texts if target == "text" else run.spec.images)
    return (found.audit if found else None) or {}


def _audit_cells(audit: Mapping[str, Json]) -> Record:
    cells: dict[str, Cell] = {}
    for key, value in audit.items():
        if isinstance(value, Mapping):
            cells |= _audit_cells({f"{key} {inner}": part for inner, part in value.items()})
        elif value is None or isinstance(value, str | int | float):
            cells[f"audit {key}"] = value
    return cells


def _stem(name: Name) -> str:
    return " ".join(name)


def _is_fact(name: Name) -> bool:
    return name[1] in FACTS or name[1].startswith("chance-")


def _table(title: str, records: Sequence[Record]) -> Table:
    """Return a table with every column that a record has, in the order in which they first occur."""
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = tuple(tuple(record.get(name) for name in names) for record in records)
    return Table(title, tuple(Column(name) for name in names), rows)
