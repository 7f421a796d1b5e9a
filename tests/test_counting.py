"""One pass over a strip, tile by tile, against the plain comparisons; and ranks of models good and bad by it."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.metrics import counting, survey
from clipbench.metrics.positives import Positives, own
from clipbench.metrics.ranks import block_size, rank
from clipbench.metrics.scores import score_table
from clipbench.metrics.survey import Answer, Question, across
from clipbench.records import Direction, Ledger

Vectors = npt.NDArray[np.float32]


@st.composite
def surveys(draw: st.DrawFn) -> tuple[npt.NDArray[np.floating], Question, int]:
    """Values of few levels, so that much is equal, with thresholds and a bound for each line, and a tile."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 70))
    axis, ranks = draw(st.integers(0, 1)), draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    precision = draw(st.sampled_from([np.float32, np.float64]))
    values = (rng.integers(0, draw(st.sampled_from([1, 4, 1000])), (height, width)) / 8).astype(precision)
    values[rng.random((height, width)) < 0.1] = -np.inf  # out of sight
    lines = values.shape[axis]
    low = rng.choice(values.ravel(), (ranks, lines))
    low[rng.random(low.shape) < 0.2] = np.inf  # a query that lacks a threshold
    high = low + rng.integers(0, 3, low.shape).astype(precision) / 8
    bound = rng.choice([*values.ravel(), 1e9], lines).astype(precision) if draw(st.booleans()) else None
    return values, Question(axis, low, high, 10**6, bound, 10**6), draw(st.integers(1, 500))


@settings(max_examples=150, deadline=None)
@given(surveys())
def test_a_survey_lists_and_counts_what_comparing_does(
    problem: tuple[npt.NDArray[np.floating], Question, int],
) -> None:
    values, asked, tile = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "TILE", tile)
        answer, other = survey.survey(values, [asked, Question(asked.axis, asked.low, asked.high, None)])
    between = set()
    for k in range(len(asked.low)):
        reach = values >= across(asked.low[k], asked.axis)
        above = values > across(asked.high[k], asked.axis)
        for given_answer in (answer, other):
            np.testing.assert_array_equal(given_answer.reach[k], reach.sum(axis=1 - asked.axis))
            np.testing.assert_array_equal(given_answer.above[k], above.sum(axis=1 - asked.axis))
        between |= {(k, *place) for place in np.argwhere(reach & ~above).tolist()}
    assert not answer.full
    assert not other.between
    assert _between(answer) == sorted(between)
    if asked.bound is None:
        assert not answer.listed
        return
    places, listed = (np.concatenate(parts) for parts in zip(*answer.listed, strict=True))
    np.testing.assert_array_equal(places, np.flatnonzero(values >= across(asked.bound, asked.axis)))
    np.testing.assert_array_equal(listed, values.ravel()[places])


def _between(answer: Answer) -> list[tuple[int, int, int]]:
    return sorted(
        (k, int(i), int(j)) for k, rows, columns in answer.between for i, j in zip(rows, columns, strict=True)
    )


@pytest.mark.parametrize(("room", "near", "full"), [(300, 300, False), (299, 300, True), (300, 299, True)])
def test_a_list_longer_than_asked_for_is_said_to_be_full(room: int, near: int, full: object) -> None:
    values = np.zeros((10, 30), dtype=np.float32)
    zeros = np.zeros(30, dtype=np.float32)
    (answer,) = survey.survey(values, [Question(1, zeros[None], zeros[None], near, zeros, room)])
    assert answer.full is full


def drawn(noise: float, images: int, each: int, seed: int) -> tuple[Vectors, Vectors, npt.NDArray[np.int32]]:
    """Captions around their images: by `noise` from a perfect model to one whose ranks are random."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((images, 12))
    owners = np.repeat(np.arange(images, dtype=np.int32), each)
    texts = centres[owners] + noise * rng.standard_normal((len(owners), 12))
    return (*(_unit(vectors) for vectors in (centres, texts)), owners)


def _unit(vectors: npt.NDArray[np.float64]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def assert_as_in_the_table(
    images: Vectors, texts: Vectors, owners: npt.NDArray[np.int32], ledgers: dict[Direction, Ledger]
) -> None:
    """Every field that counting fills, from the table of exact scores."""
    table = score_table(images, texts)
    for direction, ledger in ledgers.items():
        scores = table if direction == "i2t" else table.T
        query = Positives(ledger.offsets, ledger.positive).query
        threshold = scores[query, ledger.positive][:, None]
        np.testing.assert_array_equal(ledger.above, (scores[query] > threshold).sum(axis=1))
        np.testing.assert_array_equal(ledger.tied, (scores[query] == threshold).sum(axis=1))
        np.testing.assert_array_equal(ledger.top1, scores.argmax(axis=1))
        best = np.maximum.reduceat(threshold[:, 0], ledger.offsets[:-1])
        np.testing.assert_array_equal(ledger.positive_score, best.astype(np.float32))
        negatives = scores.copy()
        negatives[query, ledger.positive] = -np.inf
        np.testing.assert_array_equal(ledger.negative_score, negatives.max(axis=1).astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(
    noise=st.sampled_from([0.0, 0.3, 1.0, 3.0, 100.0]),
    shape=st.sampled_from([(1, 1), (2, 1), (130, 1), (90, 5), (12, 60), (1, 200)]),
    block=st.sampled_from([(16, 64), (50, 200), (1000, 1000)]),
    seed=st.integers(0, 1000),
)
def test_ranks_of_good_and_bad_models_are_those_of_the_table(
    noise: float, shape: tuple[int, int], block: tuple[int, int], seed: int
) -> None:
    """Good models have rare hits, which are listed, bad ones many, which are counted; floors rise from block to block."""
    images, texts, owners = drawn(noise, *shape, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "TILE", 1 << 10)
        ledgers = rank(images, texts, own(owners, len(images)), owners, block=block, threads=1)
    assert_as_in_the_table(images, texts, owners, ledgers)


@pytest.mark.parametrize("order", [1, -1], ids=["rising", "falling"])
def test_a_gallery_that_gets_better_all_along_is_ranked_the_same(
    order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before tells nothing of the rest: lists run over, and the strip is counted once more."""
    again: list[bool] = []
    usual = counting._again

    def counted(plan: counting._Plan, strip: counting.Strip, limit: int) -> tuple[counting._Plan, Answer]:
        again.append(True)
        return usual(plan, strip, limit)

    monkeypatch.setattr(counting, "_again", counted)
    angle = np.linspace(0, 1, 300)[::order]
    rng = np.random.default_rng(1)
    fan = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    images, texts = fan[:60], fan[np.repeat(np.arange(300), 10)]
    images = _unit(images + 0.01 * rng.standard_normal(images.shape))
    texts = _unit(texts + 0.01 * rng.standard_normal(texts.shape))
    owners = rng.permutation(np.repeat(np.arange(60, dtype=np.int32), 50))
    ledgers = rank(images, texts, own(owners, 60), owners, block=(60, 300), threads=1)
    assert_as_in_the_table(images, texts, owners, ledgers)
    if order > 0:
        assert again


def test_equal_scores_of_more_than_a_tile_tie() -> None:
    images, texts = (np.full((n, 4), 0.5, dtype=np.float32) for n in (300, 1500))
    owners = np.repeat(np.arange(300, dtype=np.int32), 5)
    ledgers = rank(images, texts, own(owners, 300), owners)
    for direction, gallery in (("t2i", 300), ("i2t", 1500)):
        assert (ledgers[direction].above == 0).all()  # type: ignore[index]  one of DIRECTIONS
        assert (ledgers[direction].tied == gallery).all()  # type: ignore[index]  as above


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200_000), st.integers(1, 200_000), st.integers(1, 64))
def test_blocks_cover_all_and_fit_the_memory(images: int, texts: int, threads: int) -> None:
    height, width = block_size(images, texts, threads)
    assert height % 16 == 0
    assert width % 64 == 0
    assert height * (-(-images // height)) >= images
    assert 4 * height * width * threads <= 64 << 20 or height <= 16
