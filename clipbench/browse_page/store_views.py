"""Views of what is not a run: datasets with their photographs and lint, sweeps, labels, adapters, indexes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from shlex import quote as word

from clipbench.browse_page.asking import Asked, address
from clipbench.browse_page.looking import Looking
from clipbench.browse_page.query_view import seen_image
from clipbench.browse_page.view import Gallery, Listing, Tab, View, as_csv
from clipbench.keys import short
from clipbench.records import Dataset, Sample
from clipbench.reports.adapting.tables import adapter_list, adapter_tables
from clipbench.reports.annotation.samples import manifest_table, sample_list, sample_tables
from clipbench.reports.annotation.tables import summary_tables
from clipbench.reports.datasets import dataset_facts, dataset_table
from clipbench.reports.html.curves import Curves, drawn_curves
from clipbench.reports.indexing.tables import index_facts, index_table
from clipbench.reports.lint import lint_table
from clipbench.reports.runs import shown_name
from clipbench.reports.stored_curves import curve_lines, curve_tables
from clipbench.reports.sweeps.figures import DRAWN, TARGETS
from clipbench.reports.sweeps.lines import sweep_lines
from clipbench.reports.sweeps.report import stored_sweeps, sweep_tables
from clipbench.reports.tables import Table
from clipbench.store.adapters import load_adapter
from clipbench.store.annotations import newest_labels
from clipbench.store.failures import find_sample
from clipbench.store.indexes import load_index
from clipbench.study.annotation.labels import by_failure, scope
from clipbench.study.annotation.summary import summarise
from clipbench.study.collecting.collect import inspect
from clipbench.study.robustness.measures import SweepSummary
from clipbench.study.robustness.named_sweeps import read_sweeps
from clipbench.study.runs.curves import StoredCurve, adapter_curves, index_curves
from clipbench.study.workplace.progress import Silent

PICTURES = 48
"""Photographs of a page."""


def sweeps(look: Looking, asked: Asked) -> View:
    """Return the list of sweeps."""
    del asked
    table = stored_sweeps(look.store)
    names = tuple(str(row[0]) for row in table.rows)
    links = tuple(address("sweep", sweep=name) for name in names)
    listing = Listing(table, links, names, "sweep", "sweep", "Draw side by side")
    return View(
        "Sweeps", "sweeps", "robustness sweeps", lambda: as_csv(stored_sweeps(look.store)), listing=listing
    )


def sweep(look: Looking, asked: Asked) -> View:
    """Return a sweep as curves and tables, or several with a line for each model."""
    names = asked.many("sweep") or ("latest",)
    summaries = look.once(("sweeps", names), lambda: read_sweeps(look.store, names))
    shown = tuple(one.sweep.name for one in summaries)
    words = " ".join(f"--sweep {word(name)}" for name in shown)
    clean = summaries[0].clean_run
    return View(
        f"{'Sweep' if len(shown) == 1 else 'Sweeps'} {', '.join(shown)}",
        "sweeps",
        f"report {words}",
        lambda: as_csv(*sweep_tables(look.store, shown, wide=True)),
        lead=f"{clean.dataset_name}: {', '.join(dict.fromkeys(one.clean_run.model for one in summaries))}",
        tabs=tuple(
            Tab(f"clean run of {one.sweep.name}", address("run", run=short(one.clean_run.key)))
            for one in summaries
        ),
        curves=_curves(summaries),
        tables=look.once(("sweep tables", shown), lambda: sweep_tables(look.store, shown)),
    )


def _curves(summaries: tuple[SweepSummary, ...]) -> tuple[tuple[str, Curves], ...]:
    found = []
    for target, (where, level) in TARGETS.items():
        for name in DRAWN:
            if lines := sweep_lines(summaries, name, target):
                metric = f"{name[0]} {shown_name(name[1])}"
                found.append((f"{metric} with perturbed {where}", drawn_curves(lines, level, metric)))
    return tuple(found)


def datasets(look: Looking, asked: Asked) -> View:
    """Return the list of datasets."""
    del asked
    table = dataset_table(look.store)
    links = tuple(address("dataset", dataset=str(row[0])) for row in table.rows)
    return View(
        "Datasets",
        "datasets",
        "dataset list",
        lambda: as_csv(dataset_table(look.store, wide=True)),
        listing=Listing(table, links),
    )


def dataset(look: Looking, asked: Asked) -> View:
    """Return a dataset: its photographs with their captions, and what is known of it."""
    name = asked.one("dataset")
    content = look.dataset(name)
    facts = dataset_facts(look.store, name, 0)
    return View(
        f"Dataset {content.name}",
        "datasets",
        f"dataset show {word(name)} --captions 0",
        lambda: as_csv(*facts),
        lead=f"{len(content.samples):,} images, {len(content.captions):,} captions",
        tabs=_dataset_tabs(name, lint=False),
        tables=facts,
        gallery=_gallery(content, asked),
    )


def lint(look: Looking, asked: Asked) -> View:
    """Return what is wrong with a dataset. Every photograph is read for it."""
    name = asked.one("dataset")
    findings = look.once(("lint", look.dataset(name).key), lambda: inspect(look.store, name, [], Silent()))
    table, _ = lint_table(name, findings, {})
    tabs = _dataset_tabs(name, lint=True)
    return View(
        f"Lint of {name}",
        "datasets",
        f"dataset lint {word(name)}",
        lambda: as_csv(table),
        tabs=tabs,
        tables=(table,),
    )


def _dataset_tabs(name: str, *, lint: bool) -> tuple[Tab, ...]:
    return (
        Tab("photographs and captions", address("dataset", dataset=name), not lint),
        Tab("lint (reads every photograph)", address("lint", dataset=name), lint),
    )


def _gallery(content: Dataset, asked: Asked) -> Gallery:
    words = asked.one("find").casefold().split()
    found = [sample for sample in content.samples if not words or _holds(sample, words)]
    pages = max(1, math.ceil(len(found) / PICTURES))
    page = min(asked.number("page", 1), pages)
    seen = tuple(
        seen_image(content.key, sample, "\n".join(caption.text for caption in sample.captions))
        for sample in found[(page - 1) * PICTURES : page * PICTURES]
    )
    return Gallery(seen, len(found), page, pages)


def _holds(sample: Sample, words: list[str]) -> bool:
    text = "\n".join((sample.id, *(caption.text for caption in sample.captions))).casefold()
    return all(one in text for one in words)


def labels(look: Looking, asked: Asked) -> View:
    """Return the samples of failures with how far labelling is."""
    del asked
    table = sample_list(look.store)
    links = tuple(address("sample", sample=str(row[0])) for row in table.rows)
    return View(
        "Labels",
        "labels",
        "annotate list",
        lambda: as_csv(sample_list(look.store)),
        listing=Listing(table, links),
    )


def sample(look: Looking, asked: Asked) -> View:
    """Return a sample: its failures with what people said of each, and how often they said it."""
    stored = find_sample(look.store, asked.one("sample", "latest"))
    drawn, key, run = stored.sample, short(stored.key), short(stored.sample.run)
    table = manifest_table(look.store, stored)
    links = tuple(
        address("query", run=run, direction="t2i", query=item.failure.caption_id)
        if item.failure.direction == "t2i"
        else address("query", run=run, direction="i2t", query=item.failure.retrieved_id)
        for item in drawn.items
    )
    known = by_failure(newest_labels(look.store))
    labelled = any(item.failure.key in known for item in drawn.failures)
    counted: list[Table] = summary_tables(summarise(scope(look.store, key), "majority")) if labelled else []
    return View(
        f"Sample {key}",
        "labels",
        f"annotate list {key}",
        lambda: as_csv(table),
        tabs=(Tab(f"run {run}", address("run", run=run)),),
        listing=Listing(table, links),
        tables=(*counted, *sample_tables(look.store, stored)),
    )


def adapters(look: Looking, asked: Asked) -> View:
    """Return the list of adapters."""
    del asked
    return _list("Adapters", "adapter", "adapt list", adapter_list(look.store))


def adapter(look: Looking, asked: Asked) -> View:
    """Return what an adapter is, how it learned, and runs of those at another α or share as curves."""
    record = load_adapter(look.store, asked.one("adapter"))
    curves = adapter_curves(look.store, record)
    command = f"adapt show {word(record.name)}"
    return _one(f"Adapter {record.name}", "adapters", command, adapter_tables(record), curves)


def indexes(look: Looking, asked: Asked) -> View:
    """Return the list of indexes."""
    del asked
    return _list("Indexes", "index", "index list", index_table(look.store))


def index(look: Looking, asked: Asked) -> View:
    """Return what an index is of, how it was made, and what runs through it came to as curves."""
    record = load_index(look.store, asked.one("index"))
    curves = index_curves(look.store, record)
    command = f"index show {word(record.name)}"
    return _one(f"Index {record.name}", "indexes", command, [index_facts(record)], curves)


def _list(title: str, one: str, command: str, table: Table) -> View:
    links = tuple(address(one, **{one: str(row[0])}) for row in table.rows)
    return View(title, title.lower(), command, lambda: as_csv(table), listing=Listing(table, links))


def _one(title: str, place: str, command: str, facts: Sequence[Table], curves: Sequence[StoredCurve]) -> View:
    drawn = tuple(
        (f"{curve.dataset} by {curve.name}", drawn_curves(lines, curve.name, "R@K", zero="base"))
        for curve in curves
        if (lines := curve_lines(curve))
    )
    tables = (*facts, *curve_tables(curves))
    return View(title, place, command, lambda: as_csv(*tables), curves=drawn, tables=tables)
