"""Stored indexes as tables: all of them, one with its facts, and what checking them found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipbench.keys import short
from clipbench.reports.stored_curves import curve_tables
from clipbench.reports.stores import size
from clipbench.reports.tables import Column, Table
from clipbench.store.engine import Store
from clipbench.store.indexes import IndexRecord, list_indexes, load_index
from clipbench.study.indexing.checking import IndexCheck
from clipbench.study.runs.curves import index_curves

SIDES: Mapping[str, str] = {"image": "images", "text": "captions"}

_LIST = (
    Column("index"),
    Column("dataset"),
    Column("model"),
    Column("side"),
    Column("type"),
    Column("parameters"),
    Column("items"),
    Column("bytes", right=True),
    Column("seconds", "built in s", digits=2),
    Column("key", aside=True),
)


def index_table(store: Store) -> Table:
    """Return every stored index."""
    rows = tuple(
        (
            one.name,
            one.dataset_name,
            one.model,
            SIDES[one.modality],
            one.content.type,
            parameter_words(one.content.build) or "-",
            one.rows,
            size(one.bytes) if one.checksum else "none",
            one.seconds,
            short(one.key),
        )
        for one in list_indexes(store)
    )
    empty = "no indexes yet: clipbench index build DATASET --model MODEL"
    return Table("indexes", _LIST, rows, empty=empty)


def parameter_words(parameters: Mapping[str, int]) -> str:
    """Return parameters in words.

    >>> parameter_words({"m": 16, "ef_construction": 200})
    'm 16, ef_construction 200'
    """
    return ", ".join(f"{name} {value:g}" for name, value in parameters.items())


def index_tables(store: Store, index: str) -> list[Table]:
    """Return what an index (by name or key) is, and the stored runs through it that differ in one setting."""
    one = load_index(store, index)
    return [index_facts(one), *curve_tables(index_curves(store, one))]


def index_facts(one: IndexRecord) -> Table:
    """Return what an index is of, how it was made, and what it is kept as."""
    kept = (
        size(one.bytes)
        if one.content.parts == 1
        else f"{size(one.bytes)} in {one.content.parts} parts and a list"
    )
    file = f"{kept}, SHA-256 {one.checksum}" if one.checksum else "none: the vectors themselves"
    facts = (
        ("dataset", one.dataset_name),
        ("model", one.model),
        ("side", SIDES[one.modality]),
        ("type", one.content.type),
        ("parameters", parameter_words(one.content.build) or "-"),
        ("items", f"{one.rows:,}"),
        ("dimensions", str(one.dimension)),
        ("built by", "clipbench" if one.content.type == "exact" else one.content.library),
        ("built in", f"{one.seconds:.2f} s"),
        ("file", file),
        *([("server", one.place)] if one.place else []),
        ("vectors", f"SHA-256 {one.content.vectors}"),
        ("key", one.key),
        ("stored", one.created_at.isoformat(" ", "seconds")),
    )
    return Table(f"index {one.name}", (Column("fact"), Column("value")), facts)


def check_table(checks: Sequence[IndexCheck]) -> Table:
    """Return what checking indexes found."""
    columns = (
        Column("result"),
        Column("index"),
        Column("type"),
        Column("items"),
        Column("found", "finds its own", digits=3),
        Column("hears", "hears its parameter"),
        Column("problem"),
    )
    words = {True: "yes", False: "no", None: None}
    rows = tuple(
        (
            "FAILED" if one.problem else "ok",
            one.record.name,
            one.record.content.type,
            one.record.rows,
            one.found,
            words[one.hears],
            one.problem,
        )
        for one in checks
    )
    empty = "no indexes yet: clipbench index build DATASET --model MODEL"
    return Table("indexes checked", columns, rows, empty=empty)
