"""Results that CLIP_benchmark wrote, as scores that runs are held against.

Source: the format of https://github.com/LAION-AI/CLIP_benchmark, whose recall is a hit too: one right item
suffices.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from clipbench.errors import InputError, Problem
from clipbench.foreign_files import MEGABYTE, read_foreign
from clipbench.study.comparing.published_table import PublishedScores

LARGEST = 16 * MEGABYTE
TASK = "zeroshot_retrieval"
TASKS = {"t2i": "image_retrieval", "i2t": "text_retrieval"}
"""What CLIP_benchmark calls the directions, by what is retrieved."""

RECALL = re.compile(r"(image|text)_retrieval_recall@([1-9]\d{0,5})")


def read_clip_benchmark(path: Path) -> PublishedScores:
    """Return the recalls of a CLIP_benchmark result, to hold a run against.

    Raises InputError with everything that is wrong with the file.
    """
    problems: list[Problem] = []
    try:
        result = json.loads(read_foreign(path, LARGEST))
    except (ValueError, RecursionError) as error:
        raise _refused(path, [Problem(str(path), 0, f"is no JSON that can be read ({error})")]) from error
    if not isinstance(result, dict) or not isinstance(result.get("metrics"), dict):
        raise _refused(path, [Problem(str(path), 0, 'has no "metrics"')])
    if result.get("task", TASK) != TASK:
        problems.append(Problem(str(path), 0, f"is of the task {result.get('task')!r}, not of {TASK}"))
    scores: dict[tuple[str, int], float] = {}
    for name, value in result["metrics"].items():
        recall = RECALL.fullmatch(name)
        if recall is None:
            continue
        if not _is_share(value):
            problems.append(Problem(str(path), 0, f"{name} is {str(value)[:20]}, no share in 0..1"))
            continue
        direction = next(d for d, task in TASKS.items() if task.startswith(recall[1]))
        scores[direction, int(recall[2])] = float(value)
    if not scores and not problems:
        problems.append(Problem(str(path), 0, "has no image_retrieval_recall@K nor text_retrieval_recall@K"))
    if problems:
        raise _refused(path, problems)
    names = [str(result.get(name, "unknown")) for name in ("dataset", "model", "pretrained")]
    return PublishedScores(names[0], names[1], names[2], scores, path.name)


def _is_share(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= 1


def _refused(path: Path, problems: list[Problem]) -> InputError:
    return InputError(
        f"CLIP_benchmark result {path}", problems, "clip_benchmark eval --output FILE writes one"
    )
