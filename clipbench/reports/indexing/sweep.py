"""A sweep of indexes as tables: what each setting loses, what it costs, and the advice in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from clipbench.keys import short
from clipbench.reports.figures.files import safe_name
from clipbench.reports.stores import size
from clipbench.reports.tables import Cell, Column, Table, json_value
from clipbench.store import clock
from clipbench.store.engine import Store
from clipbench.study.indexing.lines import Line
from clipbench.study.indexing.sweep import PHOTOGRAPHS, IndexSweep
from clipbench.study.output.whole_files import whole_file


def sweep_tables(sweep: IndexSweep, advice: tuple[str, ...]) -> tuple[Table, Table]:
    """Return two tables: quality with the advice beneath, and speed."""
    return _quality(sweep, advice), _speed(sweep)


def asked_words(sweep: IndexSweep) -> str:
    """Return which queries a sweep asked, in words."""
    return "photographs ask for their nearest" if sweep.asked == PHOTOGRAPHS else sweep.asked


def kept(store: Store, sweep: IndexSweep, tables: Sequence[Table]) -> Path:
    """Write what photographs found, which no run keeps, into the store's artifacts; return the file."""
    folder = store.home.artifacts / "index-sweeps"
    file = folder / f"{safe_name(f'{sweep.dataset} {sweep.model} {clock.stamp()}')}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as partial:
        partial.write_text(json.dumps([json_value(table) for table in tables], indent=2), encoding="utf-8")
    return file


def _title(sweep: IndexSweep) -> str:
    return (
        f"{sweep.dataset}, {sweep.model}, {asked_words(sweep)}: "
        f"{sweep.queries:,} queries, {sweep.items:,} items of {sweep.dimension} dimensions"
    )


def _quality(sweep: IndexSweep, advice: tuple[str, ...]) -> Table:
    ks = [loss.k for loss in sweep.exact.losses]
    columns = [Column("setting"), Column("recall", f"recall@{ks[-1]}")]
    for k in ks:
        columns += [
            Column(f"hits@{k}"),
            Column(f"lost@{k}", "lost"),
            Column(f"won@{k}", "won"),
        ]
    columns += [
        Column("delta", f"Δ R@{ks[0]}, points", right=True),
        Column("interval", "95 % interval", right=True),
        Column("mcnemar_p", "McNemar p"),
        Column("run", aside=True),
    ]
    rows = tuple(_quality_row(line, exact=line is sweep.exact) for line in (sweep.exact, *sweep.lines))
    hits = (
        ["hits: queries whose nearest photograph, their own aside, is among the first K"]
        if sweep.asked == PHOTOGRAPHS
        else []
    )
    if tied := sweep.exact.answers.tied:
        hits.append(
            f"{tied:,} queries have a right item tied with a wrong one: a miss here, while R@K counts it by its "
            "expected value"
        )
    notes = (
        *hits,
        "lost and won: queries that the exact search hits and the index misses, and the other way round",
        "interval: paired, over images; p takes queries as independent",
        *advice,
    )
    return Table(_title(sweep), tuple(columns), rows, notes)


def _quality_row(line: Line, *, exact: bool) -> tuple[Cell, ...]:
    cells: list[Cell] = [line.label, line.recall.value]
    for loss in line.losses:
        cells += [loss.hits, *((None, None) if exact else (loss.flips.broken, loss.flips.fixed))]
    first = line.losses[0]
    interval = first.interval
    shown = (
        None
        if exact or interval is None
        else f"[{_signed(100 * interval.low)}, {_signed(100 * interval.high)}]"
    )
    compared: list[Cell] = [None, None, None] if exact else [_signed(100 * first.delta), shown, first.flips.p]
    return (*cells, *compared, None if line.answers.run is None else short(line.answers.run))


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _speed(sweep: IndexSweep) -> Table:
    columns = (
        Column("setting"),
        Column("p50_ms", "p50 ms", 3),
        Column("p95_ms", "p95 ms", 3),
        Column("p99_ms", "p99 ms", 3),
        Column("per_second", "in batch, queries/s", 0),
        Column("build_s", "build s", 2),
        Column("bytes", "file", right=True),
        Column("index", aside=True),
    )
    rows = tuple(
        (
            line.label,
            *(_milliseconds(line, p) for p in ("p50", "p95", "p99")),
            line.per_second,
            line.seconds("build"),
            size(line.bytes) if line.bytes else None,
            line.index,
        )
        for line in (sweep.exact, *sweep.lines)
    )
    vectors = size(4 * sweep.items * sweep.dimension)
    notes = (
        "single queries one after another on one thread, after warm-up",
        f"every index needs the vectors ({vectors}) beside its file: scores are computed again from them",
    )
    return Table("what it costs", columns, rows, notes)


def _milliseconds(line: Line, what: str) -> float | None:
    seconds = line.seconds(f"query {what}")
    return None if seconds is None else 1000 * seconds
