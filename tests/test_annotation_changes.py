"""What changes between two runs on labelled failures: by hand, and where nothing but chance changes anything."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import give, label
from cli_toys import cli
from store_toys import new_store, toy_dataset, toy_run

from clipbench.errors import ClipbenchError
from clipbench.records import Ledger
from clipbench.store.engine import Store
from clipbench.study.annotation.changes import CONTROLS, Placebo, category_changes, placebo
from clipbench.study.annotation.labels import scope
from clipbench.study.annotation.results import (
    ALL_QUERIES,
    LABELLED,
    LabelledRun,
    category_results,
    labelled_run,
)
from clipbench.study.annotation.sampling import SampleRequest, draw_sample
from clipbench.study.comparing.references import resolve_one

Whole = npt.NDArray[np.int64]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Captions 1, 2 and 4 of the toy run failed; 1 and 2 are Object, 4 is Count, B disagrees on 2."""
    made = new_store(tmp_path / "store")
    run = toy_run(made)
    stored = draw_sample(made, resolve_one(made, run.key), SampleRequest(n=3))
    by_caption = {item.failure.caption: item.failure for item in stored.sample.failures}
    said = [label(by_caption[1], "Object"), label(by_caption[2], "Object"), label(by_caption[4], "Count")]
    give(made, toy_dataset(), "A", *said)
    give(made, toy_dataset(), "B", label(by_caption[2], "Spatial"))
    return made


def ranks_as_run(known: LabelledRun, ranks: Whole, per_image: int) -> LabelledRun:
    """A run that ranks its queries so; only ranks and images matter to a placebo."""
    count = len(ranks)
    ones, zeros = np.ones(count, dtype=np.int32), np.zeros(count, dtype=np.int32)
    scores = np.zeros(count, dtype=np.float32)
    ledger = Ledger(
        direction="t2i",
        gallery_size=1000,
        offsets=np.arange(count + 1, dtype=np.int32),
        positive=zeros,
        above=(ranks - 1).astype(np.int32),
        tied=ones,
        tied_positives=ones,
        top1=zeros,
        positive_score=scores,
        negative_score=scores,
        cluster=(np.arange(count) // per_image).astype(np.int32),
    )
    return replace(known, ledger=ledger, row={f"q{n}": n for n in range(count)})


@pytest.fixture
def known(store: Store) -> LabelledRun:
    return labelled_run(store, resolve_one(store, "latest"), scope(store))


def compared(known: LabelledRun, first: Whole, second: Whole, places: Whole, per_image: int = 5) -> Placebo:
    runs = ranks_as_run(known, first, per_image), ranks_as_run(known, second, per_image)
    return placebo(runs, places, 1, 500)


def test_a_placebo_is_the_way_back_on_queries_that_the_second_run_ranks_alike(known: LabelledRun) -> None:
    first, second = np.array([1, 3, 2, 1, 7, 1]), np.array([2, 1, 2, 3, 1, 1])
    # Failures of the first run rank 3, 2 and 7; of the second, queries 3, 0, 2 rank 3, 2, 2. Going back
    # mends 0 and 3 and not 2; going on mends 1 and 4 and not 2.
    found = compared(known, first, second, np.array([1, 2, 4]), per_image=1)
    assert (found.n, found.change, found.beyond) == (3, 2 / 3, 0)
    assert found.interval is None  # three images are too few to resample


def test_the_successes_of_a_run_have_a_placebo_too(known: LabelledRun) -> None:
    first, second = np.array([1, 1, 1, 4]), np.array([1, 2, 1, 1])
    # Of the first run's successes one is lost; of the second run's, going back loses one as well.
    found = compared(known, first, second, np.array([0, 1, 2]), per_image=1)
    assert (found.n, found.change, found.beyond) == (3, pytest.approx(-1 / 3), pytest.approx(0))


def noisy(rng: np.random.Generator, hard: npt.NDArray[np.float64], better: float = 0.0) -> Whole:
    """Ranks of a run on queries of these difficulties: each run has luck of its own with each query."""
    skill = hard - better + rng.normal(0, 1, len(hard))
    return np.maximum(1, np.ceil(np.exp(skill + 0.5))).astype(np.int64)


def drawn(rng: np.random.Generator, first: Whole) -> Whole:
    return np.sort(rng.choice(np.flatnonzero(first > 1), 200, replace=False))


def test_where_luck_alone_changes_failures_gain_and_nothing_is_beyond_the_placebo(known: LabelledRun) -> None:
    missed, gains = 0, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        hard = np.repeat(rng.normal(0, 0.7, 300), 5)
        first, second = noisy(rng, hard), noisy(rng, hard)
        places = drawn(rng, first)
        found = compared(known, first, second, places)
        gains.append(float(np.mean(second[places] == 1)))
        assert found.interval is not None
        missed += not found.interval.low <= 0 <= found.interval.high
    assert min(gains) > 0.1  # a table of failures alone would call each of these a success
    assert missed <= 6  # 5 % of 40 are 2; more than 6 have a chance of .4 %


def test_a_real_gain_is_beyond_the_placebo(known: LabelledRun) -> None:
    rng = np.random.default_rng(5)
    hard = np.repeat(rng.normal(0, 0.7, 300), 5)
    first, second = noisy(rng, hard), noisy(rng, hard, better=0.8)
    found = compared(known, first, second, drawn(rng, first))
    assert found.interval is not None
    assert found.interval.low > 0
    back = compared(known, second, first, drawn(rng, second))
    assert back.interval is not None
    assert back.interval.high < 0


def test_the_interval_is_that_of_a_plain_bootstrap_over_images(known: LabelledRun) -> None:
    rng = np.random.default_rng(9)
    hard = np.repeat(rng.normal(0, 0.7, 120), 5)
    first = noisy(rng, hard)
    second = np.roll(first, 7)  # the same ranks, so all failures of the one match all of the other
    places = np.flatnonzero(first > 1)
    runs = ranks_as_run(known, first, 5), ranks_as_run(known, second, 5)
    found = placebo(runs, places, 1, 4000)
    assert found.interval is not None
    change = (second == 1) * 1.0 - (first == 1) * 1.0
    back = np.flatnonzero(second > 1)
    values = []
    for _ in range(2000):
        images = rng.integers(0, 120, 120)
        weight = np.bincount(images, minlength=120)[np.arange(600) // 5]
        on = np.average(change[places], weights=weight[places])
        values.append(on + np.average(change[back], weights=weight[back]))
    width = float(np.subtract(*np.percentile(values, [97.5, 2.5])))
    assert found.interval.high - found.interval.low == pytest.approx(width, rel=0.08)


def test_a_run_against_itself_changes_nothing_beyond_its_placebo(store: Store) -> None:
    run = resolve_one(store, "latest")
    found = category_changes(store, (run, run), scope(store, "latest"), "first", resamples=200)
    assert [(c.name, c.n) for c in found.rows] == [
        ("Object", 2), ("Count", 1), (LABELLED, 3), (CONTROLS, 2), (ALL_QUERIES, 6),
    ]  # fmt: skip
    assert all(c.flips.fixed == c.flips.broken == 0 and c.flips.p == 1 for c in found.rows)
    assert [c.p_holm for c in found.rows] == [1, 1, None, None, None]
    assert [c.placebo and (c.placebo.n, c.placebo.beyond) for c in found.rows] == [
        (2, 0), (1, 0), (3, 0), (2, 0), None,
    ]  # fmt: skip
    assert found.drawn_from_first
    assert category_changes(store, (run, run), scope(store), "first").drawn_from_first is None


def test_the_tables_say_how_queries_were_chosen_and_what_to_read(store: Store) -> None:
    done = cli("annotate", "results", "latest", "--against", "latest", "--sample", "latest",
               "--policy", "first", store=store.home.root)  # fmt: skip
    assert done.code == 0, done.err
    for words in (
        "so by chance alone they can only get better",
        "by chance alone they can only get worse",
        "each of about as many words as a failure, and alike in nothing else",
        "Beyond regression to the mean",
        "Read this as the effect, not the change",
    ):
        assert words in " ".join(done.out.split()), words


def test_controls_drawn_with_the_sample_are_used_and_said_to_be(store: Store) -> None:
    run = resolve_one(store, "latest")
    draw_sample(store, run, SampleRequest(n=3, controls=1))
    found = category_changes(store, (run, run), scope(store, "latest"), "first")
    (controls,) = (row for row in found.rows if row.name == CONTROLS)
    assert controls.n == 1
    assert found.controls == (
        "successes that were drawn with the sample, each of about as many words as a failure, and alike in "
        "nothing else; by chance alone they can only get worse"
    )


def test_a_policy_that_leaves_no_failure_says_so(store: Store) -> None:
    run = resolve_one(store, "latest")
    within = scope(store)
    give(
        store, toy_dataset(), "B", *(label(x.failure, "Context") for x in within.votes if x.annotator == "A")
    )
    for act in (
        lambda: category_results(store, run, scope(store), "drop-conflicts"),
        lambda: category_changes(store, (run, run), scope(store), "drop-conflicts"),
    ):
        with pytest.raises(ClipbenchError, match="leaves none of 3 labelled failures"):
            act()
