"""Views of runs: the list, one run whole, its ledger, and how several differ."""

from __future__ import annotations

from dataclasses import replace

from clipbench.browse_page.asking import Asked, address
from clipbench.browse_page.looking import Looking
from clipbench.browse_page.view import Listing, Tab, View, as_csv
from clipbench.keys import short
from clipbench.records import DIRECTIONS, Direction
from clipbench.reports.comparing.report import comparison_tables
from clipbench.reports.runs import SPELLED, run_facts, run_list, run_table
from clipbench.reports.tables import Column, Table
from clipbench.store.queries import RunFilter
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.references import resolve_one
from clipbench.study.runs.loaded import LoadedRun

FLIPS = 20
"""Queries of each direction that a comparison shows, those that changed most."""

NAMED = 6
"""Runs of a comparison that have a link each."""

WRONG, RIGHT = "wrong", "right"
ONLY = {WRONG: 0, RIGHT: 1}
"""What the ledger says in "top1 right" of the queries that are looked at."""
SAYS = {"t2i": "captions find images", "i2t": "images find captions"}
DIGITS = {"rank": 1}


def runs(look: Looking, asked: Asked) -> View:
    """Return the list of runs."""
    del asked
    table = look.runs()
    keys = [str(row[0]) for row in table.rows]
    listing = Listing(
        table,
        links=tuple(address("run", run=key) for key in keys),
        ticks=tuple(keys),
        action="compare",
        name="run",
        says="Compare",
    )
    return View(
        "Runs",
        "runs",
        "runs list",
        lambda: as_csv(run_list(look.store, RunFilter(), wide=True)),
        listing=listing,
    )


def run(look: Looking, asked: Asked) -> View:
    """Return every number of one run, and where it comes from."""
    stored = resolve_one(look.store, asked.one("run", "latest"))
    key = short(stored.key)
    return View(
        f"Run {key}",
        "runs",
        f"runs show {key}",
        lambda: as_csv(run_table(look.store, stored, wide=True), run_facts(stored, wide=True)),
        lead=_what(stored),
        tabs=(
            *_tabs(look.loaded(stored), "run"),
            Tab(f"dataset {stored.dataset_name}", address("dataset", dataset=stored.dataset_name)),
        ),
        tables=(run_table(look.store, stored), run_facts(stored)),
    )


def queries(look: Looking, asked: Asked) -> View:
    """Return the ledger of a run: a row per query, all of them or those that are wrong or right at first."""
    stored = resolve_one(look.store, asked.one("run", "latest"))
    loaded = look.loaded(stored)
    direction, key = chosen_direction(loaded, asked), short(stored.key)
    ledger = look.ledger(stored, direction)
    right = [column.name for column in ledger.columns].index("top1 right")
    only = ONLY.get(asked.one("only"))
    rows = tuple(row for row in ledger.rows if only is None or row[right] == only)
    links = tuple(
        address("query", run=key, direction=direction, query=str(row[1]), only=asked.one("only"))
        for row in rows
    )
    tabs = _tabs(loaded, "queries", direction)
    tabs += tuple(
        Tab(says, asked.but(only=word), asked.one("only") == word)
        for says, word in (("all", ""), ("first is wrong", WRONG), ("first is right", RIGHT))
    )
    return View(
        f"Queries of run {key}, {SAYS[direction]}",
        "runs",
        f"runs export {key} --direction {direction}",
        lambda: as_csv(ledger),
        lead=_what(stored),
        tabs=tabs,
        listing=Listing(_readable(replace(ledger, rows=rows)), links),
    )


def compare(look: Looking, asked: Asked) -> View:
    """Return every difference between runs, the first ticked being the baseline."""
    named = asked.many("run")
    flips = FLIPS if asked.one("flips") else 0
    unlike = asked.one("unlike") == "1"
    compared = look.comparison(named, flips, unlike=unlike)
    keys = tuple(short(one.key) for one in compared.runs)
    words = " ".join(keys) + (f" --flips {flips}" if flips else "") + (" --allow-unlike" if unlike else "")
    tabs = (
        Tab("differences", asked.but(flips=""), not flips),
        Tab("and the queries that changed most", asked.but(flips="1"), bool(flips)),
        Tab("turn round", asked.but(run=(*keys[1:], keys[0]))),
        *(Tab(f"run {key}", address("run", run=key)) for key in keys[:NAMED]),
    )
    return View(
        f"{len(compared.runs)} runs compared",
        "runs",
        f"report --compare {words}",
        lambda: as_csv(*comparison_tables(compared, "csv")),
        lead=f"Differences are from the baseline, {keys[compared.baseline]}: {_what(compared.runs[compared.baseline])}",
        tabs=tabs,
        tables=comparison_tables(compared, "table"),
    )


def chosen_direction(loaded: LoadedRun, asked: Asked) -> Direction:
    """Return the direction that is asked for, else the first that the run has."""
    word = asked.one("direction")
    for direction in DIRECTIONS:
        if word == direction or (not word and direction in loaded.ledgers):
            loaded.ledger(direction)  # refuses one that the run has not
            return direction
    return next(iter(loaded.ledgers))


def _tabs(loaded: LoadedRun, here: str, direction: str = "") -> tuple[Tab, ...]:
    key = short(loaded.run.key)
    numbers = Tab("numbers", address("run", run=key), here == "run")
    queries = (
        Tab(f"queries: {SAYS[one]}", address("queries", run=key, direction=one), one == direction)
        for one in loaded.ledgers
    )
    return (numbers, *queries)


def _what(stored: StoredRun) -> str:
    return f"{stored.dataset_name} × {stored.model}, {stored.perturbation.words}, {stored.created_at:%Y-%m-%d %H:%M}"


def _readable(ledger: Table) -> Table:
    """Return a ledger for people: what they look for first, and ranks as they are written."""
    order = ("query", "caption", "rank", "top1", "top1 right", "margin", "positive score", "other score")
    names = [column.name for column in ledger.columns]
    images = all(row[names.index("caption")] is None for row in ledger.rows)
    # A query that is an image has no caption, and is its own image.
    kept = [names.index(name) for name in order if not (images and name == "caption")]
    columns = tuple(
        Column(names[n], "found first" if names[n] == "top1" else "", DIGITS.get(names[n], 4)) for n in kept
    )
    right = names.index("top1 right")
    rows = tuple(
        tuple(("✓" if row[n] else "") if n == right else row[n] for n in kept) for row in ledger.rows
    )
    columns = tuple(replace(c, label="right") if c.name == "top1 right" else c for c in columns)
    return Table("", columns, rows, (SPELLED,), empty="no query that passes")
