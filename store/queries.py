"""The read side of runs: lists with filters, and the run that a word on the command line means.

Knows the views and answers with what is stored; see `clipbench.store.views` for the columns.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from sqlalchemy import Connection, select, text

from clipbench.errors import StoreError
from clipbench.keys import Json, short
from clipbench.records import Metric, perturbation_name
from clipbench.store import clock, tables
from clipbench.store.columns import json_out
from clipbench.store.engine import Store, reading
from clipbench.store.protocols import protocol_words
from clipbench.store.rows import keys_with_prefix
from clipbench.store.runs import StoredRun, method_out, run_by_key

SHOWN = 8
"""Candidates an error message lists."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list; None takes all. Newest first, at most `limit`.

    dataset: a name, or the beginning of a key (4 or more characters). model: part of a label or of
    what --model said, whatever the case. method: the name of one ("prompts", "rerank", "csls"), "" for the
    plain product. kinds: any of these. The others are equal or not; `since` is inclusive.
    """

    dataset: str | None = None
    model: str | None = None
    kind: str | None = None
    tag: str | None = None
    operation: str | None = None
    level: float | None = None
    seed: int | None = None
    method: str | None = None
    since: datetime | None = None
    kinds: tuple[str, ...] | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One row of the `runs` view: a run with its headline numbers, None where it has not that metric.

    protocol: all of how it was scored; `clipbench.store.protocols` says it in words.
    """

    key: str
    kind: str
    dataset: str
    dataset_key: str
    fingerprint: str
    model: str
    model_spec: str
    encoder_key: str
    operation: str
    target: str
    level: float
    seed: int
    label: str | None
    fold: int | None
    tie_policy: str | None
    positives: str | None
    directions: str | None
    cutoffs: str | None
    protocol: Mapping[str, Json]
    method: Mapping[str, Json]
    tags: tuple[str, ...]
    t2i_hit1: float | None
    t2i_hit5: float | None
    t2i_hit10: float | None
    i2t_hit1: float | None
    i2t_hit5: float | None
    i2t_hit10: float | None
    rsum: float | None
    n_images: int
    n_texts: int
    n_queries: int
    metric_version: int
    clipbench_version: str
    command: str
    created_at: datetime
    number: int


def list_runs(store: Store, filters: RunFilter | None = None) -> tuple[RunSummary, ...]:
    """Return the runs that pass, newest first."""
    with reading(store) as connection:
        return _summaries(connection, filters or RunFilter())


def metrics_of(
    store: Store, runs: Collection[str], names: Collection[str] | None = None
) -> dict[str, tuple[Metric, ...]]:
    """Return the metrics of many runs (by key), each in the order they were given; of `names` only, if given."""
    found: dict[str, list[Metric]] = {run: [] for run in runs}
    # Plain tuples: a thousand runs have fifty thousand metrics, and access by name would double the time.
    query = (
        "SELECT run.key, direction, name, metric.value, low, high, n, metric.method FROM json_each(:runs) AS wanted "
        "JOIN run ON run.key = wanted.value JOIN metric ON metric.run_id = run.id "
        "WHERE :names IS NULL OR metric.name IN (SELECT value FROM json_each(:names)) "
        "ORDER BY run.id, metric.position"
    )
    given = {"runs": json.dumps(list(found)), "names": None if names is None else json.dumps(list(names))}
    with reading(store) as connection:
        for run, *values in connection.execute(text(query), given).all():
            found[run].append(Metric(*values))
    return {run: tuple(metrics) for run, metrics in found.items()}


def resolve_run(store: Store, reference: str) -> StoredRun:
    """Return the run that a tag or the beginning of a key (4 or more digits) means.

    What else people may call a run is known to `clipbench.study.comparing.references`. Raises StoreError that
    lists the candidates where it means none or several.
    """
    with reading(store) as connection:
        keys = _meant(connection, reference)
        if len(keys) == 1:
            run = run_by_key(connection, keys[0])
            if run is not None:
                return run
        if keys:
            raise StoreError(
                f"{reference!r} means {len(keys)} runs:\n{_told(connection, keys)}",
                "name one by the beginning of its key",
            )
        raise _unknown(connection, reference)


def _meant(connection: Connection, reference: str) -> Sequence[str]:
    tagged = select(tables.run.c.key).join(tables.tag, tables.tag.c.run_id == tables.run.c.id)
    by_tag = connection.execute(tagged.where(tables.tag.c.tag == reference)).scalars().all()
    return sorted({*by_tag, *keys_with_prefix(connection, tables.run, "run", reference)})


def _unknown(connection: Connection, reference: str) -> StoreError:
    newest = _summaries(connection, RunFilter(limit=SHOWN))
    if not newest:
        return StoreError("there is no run in the store yet", "clipbench evaluate DATASET")
    tags = connection.execute(select(tables.tag.c.tag).distinct().order_by("tag")).scalars().all()
    near = get_close_matches(reference, tags, n=3)
    also = f" (tags that are near: {', '.join(near)})" if near else ""
    listed = _told(connection, [run.key for run in newest])
    return StoreError(f"no run is called {reference!r}{also}; the newest:\n{listed}", "clipbench runs list")


def _told(connection: Connection, keys: Sequence[str]) -> str:
    runs = _summaries(connection, RunFilter(), keys[:SHOWN])
    lines = [f"  {run_line(run)}" for run in runs]
    more = [f"  and {len(keys) - SHOWN} more"] if len(keys) > SHOWN else []
    return "\n".join(lines + more)


def run_line(run: RunSummary) -> str:
    """Return a run in one line: what tells it from others."""
    setting = perturbation_name(run.operation, run.level, run.seed, run.label)
    words = protocol_words(run.protocol)
    method = str(run.method.get("name", ""))
    parts = (
        short(run.key),
        run.dataset,
        run.model,
        setting,
        method,
        words,
        f"{run.created_at:%Y-%m-%d %H:%M}",
    )
    return "  ".join(filter(None, (*parts, " ".join(run.tags))))


def _summaries(
    connection: Connection, filters: RunFilter, keys: Sequence[str] | None = None
) -> tuple[RunSummary, ...]:
    conditions, values = _conditions(filters)
    if keys is not None:
        conditions.append("run IN (SELECT value FROM json_each(:keys))")
        values["keys"] = json.dumps(list(keys))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    limit = "" if filters.limit is None else f" LIMIT {int(filters.limit)}"
    query = f"SELECT * FROM runs{where} ORDER BY created_at DESC, number DESC{limit}"  # noqa: S608, our own words
    return tuple(_summary(dict(row)) for row in connection.execute(text(query), values).mappings())


_CONDITIONS: Mapping[str, str] = {
    "dataset": "(dataset = :dataset OR dataset_key = (SELECT dataset.key FROM dataset JOIN dataset_name "
    "ON dataset_name.dataset_id = dataset.id WHERE dataset_name.name = :dataset) OR (length(:dataset) >= 4 "
    "AND :dataset IN (substr(dataset_key, 1, length(:dataset)), substr(dataset_key, 9, length(:dataset)))))",
    "model": "(instr(lower(model), lower(:model)) OR instr(lower(model_spec), lower(:model)))",
    "kind": "kind = :kind",
    "tag": "run IN (SELECT run.key FROM run JOIN tag ON tag.run_id = run.id WHERE tag.tag = :tag)",
    "operation": "(operation = :operation OR operation || ': ' || label = :operation)",
    "level": "abs(level - :level) < 0.00005",
    "seed": "seed = :seed",
    "method": "(method = '' AND :method = '' OR :method <> '' AND json_valid(method) "
    "AND :method IN (json_extract(method, '$.name'), json_extract(method, '$.method'), json_extract(method, '$.set')))",
    "since": "created_at >= :since",
    "kinds": "kind IN (SELECT value FROM json_each(:kinds))",
}


def _conditions(filters: RunFilter) -> tuple[list[str], dict[str, object]]:
    values = {name: getattr(filters, name) for name in _CONDITIONS}
    values = {name: value for name, value in values.items() if value is not None}
    if filters.since is not None:
        values["since"] = clock.stamp(filters.since)
    if filters.kinds is not None:
        values["kinds"] = json.dumps(filters.kinds)
    return [_CONDITIONS[name] for name in values], values


def _summary(row: dict[str, object]) -> RunSummary:
    row["key"] = row.pop("run")
    row["protocol"] = json_out(str(row["protocol"]))
    row["method"] = method_out(str(row["method"]))
    row["tags"] = tuple(sorted(str(row["tags"]).split())) if row["tags"] else ()
    row["created_at"] = clock.moment(str(row["created_at"]))
    return RunSummary(**row)  # type: ignore[arg-type]  # the view has these columns, and a test holds it to them
