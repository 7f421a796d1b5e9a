"""Bridges to other tools: TREC runs and judgements, and the JSON of LAION's CLIP_benchmark.

Sources: the formats of trec_eval (https://github.com/usnistgov/trec_eval) and of CLIP_benchmark
(https://github.com/LAION-AI/CLIP_benchmark), whose recall is a hit too: one right item suffices.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from clipbench.errors import ClipbenchError
from clipbench.keys import short
from clipbench.records import DIRECTIONS, Direction
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store
from clipbench.study.comparing.published_files import TASK, TASKS
from clipbench.study.comparing.rankings import Ranking, rankings
from clipbench.study.output.whole_files import whole_file
from clipbench.study.runs.loaded import LoadedRun

DEPTH = 100


def write_trec(
    store: Store,
    loaded: LoadedRun,
    folder: Path,
    *,
    directions: Sequence[Direction] = DIRECTIONS,
    depth: int = DEPTH,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write `DIRECTION.run` and `DIRECTION.qrels` into a folder and return the files.

    A run has lines `query Q0 item rank score tag` of the first `depth` items, qrels `query 0 item 1` of the
    right ones. Blanks in ids are written as %20, since both formats part fields by them. Raises StoreError
    where the vectors are not in the store, ClipbenchError where a file exists and `force` is False.
    """
    wanted = [direction for direction in directions if direction in loaded.ledgers]
    if not wanted:
        raise ClipbenchError(f"the run has none of {', '.join(directions)}", "--direction both")
    folder.mkdir(parents=True, exist_ok=True)
    tag = f"clipbench-{short(loaded.run.key)}"
    files = []
    for direction in wanted:
        run, judged = folder / f"{direction}.run", folder / f"{direction}.qrels"
        with whole_file(run, force=force) as ranked, whole_file(judged, force=force) as right:
            _write(rankings(store, loaded, direction, depth), ranked, right, tag)
        files += [run, judged]
    return tuple(files)


def _write(ranked: Iterable[Ranking], run: Path, judged: Path, tag: str) -> None:
    with (
        run.open("w", encoding="utf-8", newline="\n") as out,
        judged.open("w", encoding="utf-8", newline="\n") as truth,
    ):
        for one in ranked:
            query = word(one.query)
            for rank, (item, score) in enumerate(one.items, 1):
                out.write(f"{query} Q0 {word(item)} {rank} {score:.9f} {tag}\n")
            truth.writelines(f"{query} 0 {word(item)} 1\n" for item in one.right)


def word(id_: str) -> str:
    """Return an id as one word of printable characters.

    >>> word("a b#1.jpg"), word("")
    ('a%20b#1.jpg', '%')
    """
    return quote(id_.encode("utf-8", "surrogatepass"), safe="!\"#$&'()*+,-./:;<=>?@[]^_`{|}~") or "%"


def write_clip_benchmark(store: Store, loaded: LoadedRun, out: Path, *, force: bool = False) -> None:
    """Write a run's recalls to `out` ("-": stdout) as CLIP_benchmark writes a result, with where it comes from beside them.

    Raises ClipbenchError for a run without recalls, or where `out` exists and `force` is False.
    """
    run, identity = loaded.run, load_encoder(store, loaded.run.encoder)
    metrics = {}
    for (direction, metric), stored in loaded.metrics.items():
        name, _, k = metric.partition("@")
        if direction in TASKS and name == "hit" and k.isdigit():  # not "hit@5 n=100", nor "hit@5 drop"
            metrics[f"{TASKS[direction]}_recall@{k}"] = stored.value
    if not metrics:
        raise ClipbenchError(f"run {short(run.key)} has no recall to write", "clipbench runs show")
    result = {
        "dataset": run.dataset_name,
        "model": identity.architecture,
        "pretrained": identity.pretrained or identity.label,
        "task": TASK,
        "metrics": metrics,
        "language": "en",
        "clipbench": {
            "run": run.key,
            "fingerprint": run.fingerprint,
            "perturbation": run.perturbation.operation,
            "level": run.perturbation.level,
            "seed": run.perturbation.seed,
        },
    }
    text = json.dumps(result, indent=2) + "\n"
    if str(out) == "-":
        sys.stdout.write(text)
        return
    with whole_file(out, force=force) as partial:
        partial.write_text(text, encoding="utf-8")
