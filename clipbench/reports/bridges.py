"""Bridges to other tools: TREC runs and judgements, and the JSON of LAION's CLIP_benchmark.

Sources: the formats of trec_eval (https://github.com/usnistgov/trec_eval) and of CLIP_benchmark
(https://github.com/LAION-AI/CLIP_benchmark), whose recall is a hit too: one right item suffices.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.keys import short
from clipbench.records import DIRECTIONS, Direction
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_metrics
from clipbench.study.comparing.anchors_table import Anchor
from clipbench.study.comparing.rankings import Ranked, rankings
from clipbench.study.comparing.sides import Side
from clipbench.study.whole_files import whole_file

DEPTH = 100
TASK = "zeroshot_retrieval"
SIDES = {"t2i": "image_retrieval", "i2t": "text_retrieval"}
"""What CLIP_benchmark calls the directions, by what is found."""

RECALL = re.compile(r"(image|text)_retrieval_recall@([1-9]\d{0,5})")


def write_trec(
    store: Store,
    side: Side,
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
    wanted = [direction for direction in directions if direction in side.ledgers]
    if not wanted:
        raise ClipbenchError(f"the run has none of {', '.join(directions)}", "--direction both")
    folder.mkdir(parents=True, exist_ok=True)
    tag = f"clipbench-{short(side.run.key)}"
    files = []
    for direction in wanted:
        run, judged = folder / f"{direction}.run", folder / f"{direction}.qrels"
        with whole_file(run, force=force) as ranked, whole_file(judged, force=force) as right:
            _write(rankings(store, side, direction, depth), ranked, right, tag)
        files += [run, judged]
    return tuple(files)


def _write(ranked: Iterable[Ranked], run: Path, judged: Path, tag: str) -> None:
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


def clip_benchmark_json(store: Store, run: StoredRun) -> str:
    """Return a run's recalls as CLIP_benchmark writes a result, with where it comes from beside them."""
    identity = load_encoder(store, run.encoder)
    metrics = {}
    for metric in load_metrics(store, run.key):
        name, _, k = metric.name.partition("@")
        if metric.direction in SIDES and name == "hit" and k.isdigit():  # not "hit@5 n=100", nor "hit@5 drop"
            metrics[f"{SIDES[metric.direction]}_recall@{k}"] = metric.value
    if not metrics:
        raise ClipbenchError(f"run {short(run.key)} has no recall to write", "clipbench runs show")
    told = {
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
    return json.dumps(told, indent=2) + "\n"


def read_clip_benchmark(path: Path) -> Anchor:
    """Return the recalls of a CLIP_benchmark result, to hold a run against.

    Raises InputError with everything that is wrong with the file.
    """
    problems: list[Problem] = []
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _refused(path, [Problem(str(path), 0, f"is no JSON that can be read ({error})")]) from error
    if not isinstance(told, dict) or not isinstance(told.get("metrics"), dict):
        raise _refused(path, [Problem(str(path), 0, 'has no "metrics"')])
    if told.get("task", TASK) != TASK:
        problems.append(Problem(str(path), 0, f"is of the task {told.get('task')!r}, not of {TASK}"))
    scores: dict[tuple[str, int], float] = {}
    for name, value in told["metrics"].items():
        found = RECALL.fullmatch(name)
        if found is None:
            continue
        if not _is_share(value):
            problems.append(Problem(str(path), 0, f"{name} is {str(value)[:20]}, no share in 0..1"))
            continue
        direction = next(d for d, side in SIDES.items() if side.startswith(found[1]))
        scores[direction, int(found[2])] = float(value)
    if not scores and not problems:
        problems.append(Problem(str(path), 0, "has no image_retrieval_recall@K nor text_retrieval_recall@K"))
    if problems:
        raise _refused(path, problems)
    names = [str(told.get(name, "unknown")) for name in ("dataset", "model", "pretrained")]
    return Anchor(names[0], names[1], names[2], scores, path.name)


def _is_share(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= 1


def _refused(path: Path, problems: list[Problem]) -> InputError:
    return InputError(
        f"CLIP_benchmark result {path}", problems, "clip_benchmark eval --output FILE writes one"
    )
