"""Which stored runs a word on the command line means: a key, a tag, `latest`, or a query.

A query names what a run is of: `model=ViT-B-32,dataset=f8k,perturb=word-dropout=0.3,seed=0`, with commas or
spaces between. `latest:QUERY` is the newest run that fits, `all:QUERY` every one of them, and a query by
itself must fit one run only. After the colon an operation may stand first by itself: `latest:clean`,
`latest:word-dropout=0.3`. A clean run is a plain evaluation by the product of vectors unless `kind=` or `method=`
says otherwise, and no word but a key, a tag, `all:` or `kind=` means a run whose gallery was under stress. `model=`
means a model before its adapters, whose names hold its own; `all:` takes both.
Compares nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from clipbench.errors import CompareError, StoreError
from clipbench.records import CLEAN
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter, RunSummary, list_runs, resolve_run, run_line
from clipbench.store.runs import LATEST, StoredRun, find_run
from clipbench.study.embedding.model_words import ADAPTER
from clipbench.study.runs.run_kinds import KINDS

QUERY_TERMS = ("dataset", "model", "perturb", "level", "seed", "kind", "tag", "method")
"""What a query can ask for."""

CLEAN_KIND = next(kind.name for kind in KINDS.values() if kind.plain)
"""The kind of a clean run where a query names none."""

WHOLE_KINDS = tuple(kind.name for kind in KINDS.values() if kind.whole)
"""Kinds that rank a dataset itself. A stress of its gallery is looked at, and moves no `latest`."""

PLAIN = "plain"
"""`method=plain` means the product of vectors, which has no name of its own."""

NEWEST, EVERY = "latest:", "all:"
SHOWN_CANDIDATES = 8
"""Candidates an error message lists."""

_TERM = re.compile(rf"(?:^|[,\s]+)({'|'.join(QUERY_TERMS)})\s*=")
_LOOKS_LIKE_A_TERM = re.compile(r"(?:^|[,\s])([A-Za-z_-]+)=")


def resolve_runs(store: Store, references: Sequence[str]) -> tuple[StoredRun, ...]:
    """Return the runs that the references mean, in their order, `all:` oldest first; each run once.

    Raises StoreError or CompareError that lists the candidates where one means no run, or several.
    """
    found: dict[str, StoredRun] = {}
    for reference in references:
        for run in _meant(store, reference):
            found.setdefault(run.key, run)
    return tuple(found.values())


def resolve_one(store: Store, reference: str) -> StoredRun:
    """Return the one run that a reference means. Raises StoreError or CompareError as `resolve_runs`."""
    runs = _meant(store, reference)
    if len(runs) != 1:
        raise CompareError(
            f"{reference!r} means {len(runs)} runs, one is needed", f"latest:{reference.removeprefix(EVERY)}"
        )
    return runs[0]


def _meant(store: Store, reference: str) -> list[StoredRun]:
    if not is_query(reference):
        return [resolve_run(store, reference)]
    query = NEWEST if reference == LATEST else reference
    mode = next((start for start in (NEWEST, EVERY) if query.startswith(start)), "")
    filters = parse_query(query.removeprefix(mode), operation_first=bool(mode))
    if mode != EVERY and filters.kind is None:
        filters = replace(filters, kinds=WHOLE_KINDS)
    named = mode != EVERY and filters.model is not None
    runs = list_runs(store, replace(filters, limit=1) if mode == NEWEST and not named else filters)
    runs = _of_the_base(runs) if named else runs
    runs = runs[:1] if mode == NEWEST else runs
    if not runs:
        raise _nothing(store, reference)
    if mode != EVERY and len(runs) > 1:
        raise CompareError(
            f"{reference!r} means {len(runs)} runs:\n{_told(runs)}",
            f"'latest:{reference}' takes the newest, 'all:{reference}' all of them",
        )
    return [run for summary in reversed(runs) if (run := find_run(store, summary.key)) is not None]


def _of_the_base(runs: Sequence[RunSummary]) -> tuple[RunSummary, ...]:
    """Return the runs of models rather than of adapters, whose names hold those of their bases, where there are some."""
    return tuple(run for run in runs if not run.model_spec.startswith(ADAPTER)) or tuple(runs)


def is_query(reference: str) -> bool:
    """Whether a reference asks for properties of a run rather than naming one."""
    return reference == LATEST or reference.startswith((NEWEST, EVERY)) or _TERM.match(reference) is not None


def parse_query(text: str, *, operation_first: bool = False) -> RunFilter:
    """Return what a query asks for.

    >>> parse_query("word-dropout=0.3, model=ViT-B-32", operation_first=True).operation
    'word-dropout'
    >>> parse_query("model=ViT-B-32 dataset=f8k").dataset
    'f8k'

    Raises CompareError for a term it does not know, or a number that is none.
    """
    terms = list(_TERM.finditer(text))
    head = text[: terms[0].start()] if terms else text
    asked: dict[str, str] = {}
    if head.strip(", "):
        if not operation_first:
            raise _unknown_term(text)
        asked["perturb"] = head.strip(", ")
    ends = [*(term.start() for term in terms[1:]), len(text)]
    for term, end in zip(terms, ends, strict=False):  # without terms there is one end too many
        name, value = term[1], text[term.end() : end].strip(", ")
        if not value:
            raise CompareError(f"the query {text!r} gives {name} no value", f"{name}=WORD")
        if name in asked:
            raise CompareError(f"the query {text!r} gives {name} twice", "name it once")
        asked[name] = value
    unknown = [found[1] for value in asked.values() for found in _LOOKS_LIKE_A_TERM.finditer(f",{value}")]
    if [name for name in unknown if name != asked.get("perturb", "").partition("=")[0]]:
        raise _unknown_term(text)
    return _filter(asked, text)


def _filter(asked: dict[str, str], text: str) -> RunFilter:
    operation, _, rate = asked.get("perturb", "").partition("=")
    level = asked.get("level", rate)
    seed = _number(asked["seed"], text) if "seed" in asked else None
    if seed is not None and not seed.is_integer():
        raise CompareError(f"{asked['seed']!r} in {text!r} is no seed", "seed=0")
    # Runs with a gallery under stress are clean too, and not what people mean by a clean run.
    kind = asked.get("kind", CLEAN_KIND if operation.strip() == CLEAN.operation else None)
    # Nor is a ranking by prompts, a re-ranker or an index, unless it is asked for.
    method = asked.get("method", "" if operation.strip() == CLEAN.operation else None)
    return RunFilter(
        dataset=asked.get("dataset"),
        model=asked.get("model"),
        kind=kind,
        tag=asked.get("tag"),
        operation=operation.strip() or None,
        level=_number(level, text) if level else None,
        seed=None if seed is None else int(seed),
        method="" if method == PLAIN else method,
    )


def _number(word: str, text: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise CompareError(f"{word!r} in {text!r} is not a number", "latest:word-dropout=0.3")
    return number


def _unknown_term(text: str) -> CompareError:
    words = ", ".join(f"{word}=" for word in QUERY_TERMS)
    return CompareError(
        f"the query {text!r} asks for something unknown; it can ask for {words}",
        "latest:word-dropout=0.3,model=ViT-B-32",
    )


def need_known(store: Store, filters: RunFilter) -> None:
    """Raise StoreError where one of the filters asks for what no run of the store has, with what there is."""
    runs = list_runs(store)
    if filters.dataset is not None and not list_runs(store, RunFilter(dataset=filters.dataset, limit=1)):
        load_dataset(store, filters.dataset)  # one that is there has no runs yet; one that is not is told of
    there: dict[str, set[str]] = {
        "model": {run.model for run in runs},
        "kind": {run.kind for run in runs},
        "operation": {run.operation for run in runs},
        "tag": {tag for run in runs for tag in run.tags},
    }
    for name, values in there.items():
        word = getattr(filters, name)
        if runs and word is not None and not list_runs(store, RunFilter(**{name: word}, limit=1)):
            near = get_close_matches(word, values, n=SHOWN_CANDIDATES) or sorted(values)[:SHOWN_CANDIDATES]
            listed = f"; there are: {', '.join(near)}" if near else ""
            what = "perturbation" if name == "operation" else name
            raise StoreError(f"no run has the {what} {word!r}{listed}", "clipbench runs list")


def _nothing(store: Store, reference: str) -> StoreError:
    newest = list_runs(store, RunFilter(limit=SHOWN_CANDIDATES))
    if not newest:
        return StoreError("there is no run in the store yet", "clipbench evaluate DATASET")
    return StoreError(f"no run fits {reference!r}; the newest:\n{_told(newest)}", "clipbench runs list")


def _told(runs: Sequence[RunSummary]) -> str:
    lines = [f"  {run_line(run)}" for run in runs[:SHOWN_CANDIDATES]]
    more = [f"  and {len(runs) - SHOWN_CANDIDATES:,} more"] if len(runs) > SHOWN_CANDIDATES else []
    return "\n".join(lines + more)
