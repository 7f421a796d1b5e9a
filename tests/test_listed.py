"""Ledgers of limited depth: what a list says, what it cannot say, and which measures follow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.metrics.listed import ledger_of_lists
from clipbench.metrics.measures import best_ranks, is_known, measure
from clipbench.metrics.positives import Positives
from clipbench.metrics.row_ranks import RowQueries, rank_rows
from clipbench.metrics.ties import tied_queries
from clipbench.records import UNKNOWN, Protocol, Shortlist
from clipbench.study.evaluation.protocol import metrics_of


def problem(seed: int, levels: int = 50) -> tuple[RowQueries, np.ndarray]:
    rng = np.random.default_rng(seed)
    count, gallery = 12, 20
    chosen = [np.sort(rng.choice(gallery, rng.integers(1, 4), replace=False)) for _ in range(count)]
    offsets = np.concatenate([[0], np.cumsum([len(c) for c in chosen])])
    positives = Positives(offsets, np.concatenate(chosen))
    scores = (rng.integers(0, levels, (count, gallery)) / levels).astype(np.float32)
    return RowQueries("t2i", positives, gallery, np.arange(count, dtype=np.int32)), scores


def lists(scores: np.ndarray, depth: int) -> Shortlist:
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return Shortlist("t2i", order.astype(np.int32), np.take_along_axis(scores, order, axis=1))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20), st.sampled_from([4, 50]))
def test_what_a_list_knows_is_what_the_whole_ranking_says(seed: int, depth: int, levels: int) -> None:
    queries, scores = problem(seed, levels)
    whole = rank_rows(queries, lambda part: scores[part])
    ledger = ledger_of_lists(queries, lists(scores, depth))
    known = ledger.above != UNKNOWN
    # Known are pairs whose tie group ends before the list does, and one that is last in it alone.
    inside = (whole.above + whole.tied < depth) | (depth == queries.gallery)
    alone = (whole.above == depth - 1) & known
    assert (known >= inside).all()
    assert (known[~inside] == alone[~inside]).all()
    assert (ledger.above[known] == whole.above[known]).all()
    for name in ("tied", "tied_positives"):
        assert (getattr(ledger, name)[inside] == getattr(whole, name)[inside]).all()
    assert (ledger.tied[~known] == 0).all()
    assert (ledger.top1 == whole.top1).all()


def test_a_full_list_of_distinct_scores_gives_the_same_metrics_up_to_its_depth() -> None:
    rng = np.random.default_rng(0)
    queries, _ = problem(0)
    scores = rng.permuted(np.tile(np.arange(20, dtype=np.float32), (12, 1)), axis=1)
    whole = {"t2i": rank_rows(queries, lambda part: scores[part])}
    listed = {"t2i": ledger_of_lists(queries, lists(scores, 8))}
    protocol = Protocol(ks=(1, 5, 7), directions=("t2i",), resamples=100)
    full = {m.name: m for m in metrics_of(whole, protocol)}
    short = {m.name: m for m in metrics_of(listed, protocol)}
    assert set(short) < set(full)
    for name in ("hit@1", "hit@5", "hit@7", "R-Precision", "mAP@R", "gallery", "chance-hit@5"):
        assert short[name] == full[name], name
    assert "MeanR" not in short
    assert "MRR" not in short
    assert "nDCG@10" not in short


def test_the_median_is_given_while_the_middle_is_known_and_without_an_interval() -> None:
    positives = Positives(np.arange(6), np.arange(5))
    queries = RowQueries("t2i", positives, 9, np.arange(5, dtype=np.int32))
    items = np.array([[0, 8], [8, 1], [7, 8], [7, 8], [4, 8]], dtype=np.int32)
    ledger = ledger_of_lists(queries, Shortlist("t2i", items, np.float32([[2, 1]] * 5)))
    # Ranks are 1, 2, ?, ?, 1: the middle one is the 2; with one more unknown it is not known.
    with pytest.raises(ClipbenchError, match="2 of 5 queries are unknown"):
        best_ranks(ledger)
    worse = ledger_of_lists(
        queries, Shortlist("t2i", np.where(items == 1, 7, items), np.float32([[2, 1]] * 5))
    )
    assert not is_known("MedR", worse)
    ledger = ledger_of_lists(queries, Shortlist("t2i", items, np.float32([[2, 1]] * 5)))
    (median,) = [
        m
        for m in metrics_of({"t2i": ledger}, Protocol(ks=(1,), directions=("t2i",), resamples=100))
        if m.name == "MedR"
    ]
    assert (median.value, median.low) == (2.0, None)
    assert tied_queries(ledger) == 0


def test_an_unknown_positive_is_a_miss_at_every_known_cutoff() -> None:
    queries = RowQueries("t2i", Positives(np.array([0, 1]), np.array([5])), 9, np.zeros(1, dtype=np.int32))
    ledger = ledger_of_lists(
        queries, Shortlist("t2i", np.int32([[1, 2, UNKNOWN]]), np.float32([[2, 1, -np.inf]]))
    )
    assert ledger.above.tolist() == [UNKNOWN]
    assert measure("hit@3")(ledger).tolist() == [0]
    assert ledger.positive_score[0] == -np.inf
    assert ledger.negative_score[0] == 2
    assert [is_known(name, ledger) for name in ("hit@3", "hit@4", "AP", "R-Precision")] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("items", "scores", "message"),
    [
        ([[1, 1]], [[2, 1]], "twice"),
        ([[1, 9]], [[2, 1]], "names item 9"),
        ([[UNKNOWN, UNKNOWN]], [[-np.inf, -np.inf]], "is empty"),
        ([[1, 2]], [[1, 2]], "never rise"),
        ([[1, 2]], [[np.nan, 2]], "are numbers"),
        ([[1, 2], [1, 2]], [[2, 1], [2, 1]], "do not fit"),
    ],
)
def test_lists_that_mean_nothing_are_refused(items: list, scores: list, message: str) -> None:
    queries = RowQueries("t2i", Positives(np.array([0, 1]), np.array([5])), 9, np.zeros(1, dtype=np.int32))
    with pytest.raises(ValueError, match=message):
        ledger_of_lists(queries, Shortlist("t2i", np.int32(items), np.float32(scores)))
