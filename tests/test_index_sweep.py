"""What a sweep of indexes tries, how recall counts ties, and what is advised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clipbench.errors import ClipbenchError
from clipbench.indexes.protocol import Answer
from clipbench.metrics.neighbours import neighbour_recall
from clipbench.records import Metric, Shortlist
from clipbench.reports.indexing.sweep import sweep_tables
from clipbench.statistics.flips import Flips
from clipbench.statistics.intervals import Interval
from clipbench.study.indexing.advice import advice
from clipbench.study.indexing.lines import Answers, Line, Loss
from clipbench.study.indexing.neighbours import without_self
from clipbench.study.indexing.settings import TypedSettings, settings_of
from clipbench.study.indexing.sweep import IndexSweep


def lists(items: list[list[int]], scores: list[list[float]]) -> Shortlist:
    return Shortlist("t2i", np.array(items, np.int32), np.array(scores, np.float32))


EXACT = lists([[4, 7, 1]], [[0.9, 0.5, 0.5]])


@pytest.mark.parametrize(
    ("listed", "k", "recall"),
    [
        (EXACT, 3, 1.0),
        (lists([[4, 7, 8]], [[0.9, 0.5, 0.5]]), 3, 1.0),  # 8 ties with 1
        (lists([[4, 7, 8]], [[0.9, 0.5, 0.5 - 5e-7]]), 3, 1.0),  # within rounding
        (lists([[4, 7, 8]], [[0.9, 0.5, 0.49]]), 3, 2 / 3),
        (lists([[7, 1, 8]], [[0.5, 0.5, 0.5]]), 3, 1.0),  # three that reach the third score
        (lists([[7, 1, 8]], [[0.5, 0.5, 0.5]]), 1, 0.0),
        (lists([[4, -1, -1]], [[0.9, -np.inf, -np.inf]]), 3, 1 / 3),
    ],
)
def test_recall_counts_scores_and_not_names(listed: Shortlist, k: int, recall: float) -> None:
    assert neighbour_recall(listed, EXACT, k).tolist() == [pytest.approx(recall)]


def test_a_gallery_smaller_than_k_is_found_whole() -> None:
    few = lists([[2, 0, -1]], [[0.9, 0.1, -np.inf]])
    assert neighbour_recall(few, few, 3).tolist() == [1.0]
    assert neighbour_recall(lists([[2, -1, -1]], [[0.9, -np.inf, -np.inf]]), few, 3).tolist() == [0.5]


def test_lists_that_tell_too_little_are_refused() -> None:
    with pytest.raises(ValueError, match="do not tell the first 4"):
        neighbour_recall(EXACT, EXACT, 4)
    with pytest.raises(ValueError, match="not of the same"):
        neighbour_recall(lists([[1]] * 2, [[0.1]] * 2), EXACT, 1)


def test_every_combination_is_tried_once() -> None:
    typed = TypedSettings(("hnsw:m=16/32,ef=10/64", "hnsw:ef=10", "sq8"), {"refine": (2,)})
    told = [(s.recipe.type, dict(s.recipe.build), dict(s.search)) for s in settings_of(typed)]
    assert told == [
        ("hnsw", {"m": 16, "ef_construction": 200}, {"ef": 10}),
        ("hnsw", {"m": 16, "ef_construction": 200}, {"ef": 64}),
        ("hnsw", {"m": 32, "ef_construction": 200}, {"ef": 10}),
        ("hnsw", {"m": 32, "ef_construction": 200}, {"ef": 64}),
        ("sq8", {}, {"refine": 2}),
    ]


def test_an_option_goes_to_the_types_that_have_it() -> None:
    kinds = {(s.recipe.type, *s.search.items()) for s in settings_of(TypedSettings((), {"ef": (7,)}))}
    assert ("hnsw", ("ef", 7)) in kinds
    assert {kind for kind, *_ in kinds} == {"hnsw", "ivf", "sq8"}


def test_a_parameter_that_no_type_has_is_refused() -> None:
    with pytest.raises(ClipbenchError, match="no recipe has the parameter 'nprobe'"):
        settings_of(TypedSettings(("hnsw",), {"nprobe": (1,)}))


def line(name: str, p50: float | None, lost: int = 0, won: int = 0, **more: Any) -> Line:
    """A setting with a time in ms and flips among 1,000 queries; its interval is a point wide for 10 flips."""
    delta, spread = (won - lost) / 1000, (won + lost) / 1000
    loss = Loss(
        1, 500, Flips(won, lost, 0.5, "exact"), delta, Interval(delta - spread, delta + spread, 0.95, "bca")
    )
    timings = (
        {}
        if p50 is None
        else {"query p50": p50 / 1000, "build": more.get("build", 2.0), "search": more.get("batch", 1.0)}
    )
    recall = (Metric("t2i", "recall@10", more.get("recall", 0.95), None, None, 1000),)
    named = np.full((1000, 1), more.get("item", 0), np.int32)
    nothing = np.zeros(1000, np.int32)
    search = {"nprobe": more.get("nprobe", 1)}
    answers = Answers(search, {}, nothing, named, recall, timings, tied=more.get("tied", 0))
    return Line("ivf", {}, name, answers, (loss,), 1)


def told(*lines: Line, items: int = 50_000, exact: float = 1.0, max_loss: float = 0.1) -> str:
    sweep = IndexSweep("d", "m", "t2i", items, 64, line("exact", exact, recall=1.0), lines)
    return "\n".join(advice(sweep, max_loss))


def test_the_quickest_that_loses_little_is_advised_and_when_it_pays() -> None:
    said = told(
        line("a", 0.1, lost=30, nprobe=1),
        line("b", 0.5, nprobe=4),
        line("c", 0.75, nprobe=8),
    )
    assert "ivf nprobe 4 is the quickest" in said
    assert "its build of 2.00 s pays after 4,000 single queries" in said  # 2 s at .5 ms saved


def test_few_items_are_told_not_to_bother() -> None:
    said = told(line("a", 0.5), items=9_999)
    assert "under 10,000 items an index is not worth its trouble" in said
    assert "should it grow" in said
    assert "pays after" not in said


def test_where_nothing_fits_the_exact_search_is_advised() -> None:
    assert "no setting loses" in told(line("a", 0.1, lost=30))
    assert "no setting that loses" in told(line("a", 2.0))
    assert "no setting loses" in told(line("a", 0.1, lost=5, won=5))  # net 0, but the interval is wide


def test_a_loss_within_what_is_allowed_is_taken_at_the_worse_end_of_its_interval() -> None:
    assert "is the quickest" in told(line("a", 0.1, lost=1), max_loss=0.2)
    assert "no setting loses" in told(line("a", 0.1, lost=1), max_loss=0.19)


def test_flips_that_hide_in_a_difference_are_named() -> None:
    assert "ivf nprobe 1 is +0 hits at 1, 28 lost and 28 won" in told(line("a", 0.5, lost=28, won=28))
    assert "hides" not in told(line("a", 0.5, lost=28, won=2))
    assert "hides" not in told(line("a", 0.5, lost=200, won=30))  # what is lost shows


def test_an_index_that_does_not_hear_its_parameter_is_named() -> None:
    deaf = (line("a", 0.5, nprobe=1), line("a", 0.6, nprobe=9))
    assert "a answers ivf nprobe 1 and ivf nprobe 9 alike" in told(*deaf)
    assert "alike" not in told(line("a", 0.5, nprobe=1), line("a", 0.6, nprobe=9, item=3))
    assert "alike" not in told(line("a", 0.5, nprobe=1, recall=1.0), line("a", 0.6, nprobe=9, recall=1.0))


def test_batches_may_be_quicker_exactly() -> None:
    assert "asked all at once, exact search is quicker" in told(line("a", 0.5, batch=2.0))


def test_a_sweep_without_times_advises_none_by_time() -> None:
    assert "search exactly" in told(line("a", None))


@pytest.mark.parametrize(("tied", "says"), [(0, False), (21, True)])
def test_hits_that_ties_hide_are_told(tied: int, *, says: bool) -> None:
    exact = line("exact", 1.0, recall=1.0, tied=tied)
    quality, _ = sweep_tables(IndexSweep("d", "m", "t2i", 50_000, 64, exact, ()), ())
    assert any(note.startswith("21 queries have a right item tied") for note in quality.notes) is says


def test_a_photograph_is_not_its_own_neighbour() -> None:
    answer = Answer(
        np.array([[4, 7, 1], [9, 5, 8], [2, 6, 3]]),
        np.array([[1.0, 0.5, 0.4], [1.0, 1.0, 0.2], [0.9, 0.8, 0.7]], np.float32),
    )
    found = without_self(answer, np.array([4, 5, 0]))  # 9 is a copy of 5; 0 was not named
    assert found.items.tolist() == [[7, 1], [9, 8], [2, 6]]
    assert found.scores.tolist() == pytest.approx(np.array([[0.5, 0.4], [1.0, 0.2], [0.9, 0.8]]), abs=1e-6)
