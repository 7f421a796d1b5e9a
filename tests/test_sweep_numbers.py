"""The numbers of a sweep: means over seeds, drops, MMI, mCE and effective robustness, against hand and plain code."""

from __future__ import annotations

import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment

from clipbench.errors import CompareError
from clipbench.home import Home
from clipbench.keys import Json
from clipbench.records import CLEAN, Protocol, RunSpec
from clipbench.statistics.seeds import over_seeds
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store, open_store
from clipbench.store.runs import StoredRun, find_run, load_ledgers, load_metrics
from clipbench.store.sweeps import StoredSweep
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.robustness.corruption_error import corruption_errors
from clipbench.study.robustness.effective import effective_robustness
from clipbench.study.robustness.levels import selections
from clipbench.study.robustness.measures import Effect, SweepSummary, summarise
from clipbench.study.robustness.settings import SweepRequest
from clipbench.study.robustness.sweep import plan, sweep
from clipbench.study.workplace.progress import Silent

PROTOCOL = Protocol(resamples=200)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a toy collection."""
    folder = tmp_path_factory.mktemp("numbers")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder, images=10)
    return open_store(Home(folder / "store"))


def swept(store: Store, *words: str, seeds: int, protocol: Protocol = PROTOCOL) -> StoredSweep:
    toy = EncoderSource(store, ModelRequest("toy"))
    asked = SweepRequest(selections(words), tuple(range(seeds)))
    return sweep(plan(toy, load_dataset(store, "toys"), asked, protocol), toy, protocol, Silent())


def run_of(store: Store, key: str) -> StoredRun:
    found = find_run(store, key)
    assert found is not None
    return found


def test_values_are_means_over_seeds_of_the_stored_runs(store: Store) -> None:
    done = swept(store, "word-dropout", seeds=3)
    found = summarise(store, done)
    [effect] = [e for e in found.effects if e.level == 0.3]
    runs = [run_of(store, key) for key in done.runs]
    values = [
        metric.value
        for run in runs
        if run.perturbation.level == 0.3
        for metric in load_metrics(store, run.key)
        if (metric.direction, metric.name) == ("t2i", "hit@5")
    ]
    assert len(values) == 3
    value = effect.values["t2i", "hit@5"]
    assert value.mean == pytest.approx(statistics.fmean(values))
    assert value.sd == pytest.approx(statistics.stdev(values))
    drop, bound = effect.drops["t2i", "hit@5"]
    assert bound is not None
    assert drop == pytest.approx(found.clean["t2i", "hit@5"] - value.mean)
    assert bound.low <= drop <= bound.high
    around = effect.bounds["t2i", "hit@5"]
    assert around.low <= value.mean <= around.high
    rsum, both = effect.drops["both", "rsum"]
    assert both is not None
    assert both.low <= rsum <= both.high


def test_mmi_is_the_mean_over_levels_and_its_worst_level_is_named(store: Store) -> None:
    found = summarise(store, swept(store, "word-dropout", "keyboard", seeds=2))
    whole = found.clean["both", "rsum"]
    for one in found.operations:
        scores = {
            e.level: e.values["both", "rsum"].mean for e in found.effects if e.operation == one.operation
        }
        assert one.mmi == pytest.approx((whole - statistics.fmean(scores.values())) / whole)
        assert one.worst == pytest.approx((whole - min(scores.values())) / whole)
        assert scores[one.worst_level] == min(scores.values())
        assert one.relative == pytest.approx(1 - one.mmi)
    assert found.mmi == pytest.approx(statistics.fmean(one.mmi for one in found.operations))
    assert found.score_name == "RSUM"


def test_one_direction_has_a_score_of_its_own(store: Store) -> None:
    protocol = Protocol(directions=("t2i",), resamples=200)
    found = summarise(store, swept(store, "word-dropout", seeds=1, protocol=protocol))
    assert found.score_name == "t2i R@1 + R@5 + R@10"
    assert found.operations[0].mmi == pytest.approx(
        1
        - statistics.fmean(sum(e.values["t2i", f"hit@{k}"].mean for k in (1, 5, 10)) for e in found.effects)
        / sum(found.clean["t2i", f"hit@{k}"] for k in (1, 5, 10))
    )


def test_retention_counts_queries(store: Store) -> None:
    done = swept(store, "word-shuffle", seeds=2)
    clean = load_ledgers(store, done.runs[0])["t2i"]
    kept = []
    for key in done.runs[1:]:
        other = load_ledgers(store, key)["t2i"]
        hits = (clean.above == 0) & (clean.tied == 1)
        kept.append(np.mean((other.above[hits] == 0) & (other.tied[hits] == 1)))
    [effect] = summarise(store, done).effects
    assert effect.kept["t2i", "hit@1"] == pytest.approx(np.mean(kept))


# -- Against other models: worked by hand ------------------------------------------------------------------


def summary(
    clean: float, errors: dict[str, list[float]], model: str = "a", fingerprint: str = "f"
) -> SweepSummary:
    """A summary with t2i hit@1 = 1 - error for each operation's levels 1, 2, ..."""
    run = StoredRun(
        key=f"run:{model}",
        spec=RunSpec("evaluate", "d", "i", "t", {}),
        dataset_name="toys",
        fingerprint=fingerprint,
        encoder=f"encoder:{model}",
        model=model,
        perturbation=CLEAN,
        status="complete",
        n_images=10,
        n_texts=10,
        n_queries=20,
        command="",
        version="",
        environment={},
        timings={},
        tags=(),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    name = ("t2i", "hit@1")
    audit: dict[str, Json] = {}
    effects = tuple(
        Effect(
            operation,
            "image",
            float(level),
            {name: over_seeds({0: 1 - error})},
            {},
            {name: (clean - (1 - error), None)},
            {name: None},
            {name: None},
            audit,
        )
        for operation, values in errors.items()
        for level, error in enumerate(values, start=1)
    )
    sweep_ = StoredSweep(f"sweep-{model}", f"key-{model}", {}, (), datetime(2026, 1, 1, tzinfo=UTC))
    return SweepSummary(sweep_, run, {name: clean}, {}, effects, (), "RSUM")


def test_corruption_errors_worked_by_hand() -> None:
    mine = summary(0.80, {"fog": [0.30, 0.50], "snow": [0.40, 0.60]}, "mine")
    reference = summary(0.70, {"fog": [0.40, 0.60], "snow": [0.50, 0.50]}, "alexnet")
    fog, snow = corruption_errors(mine, reference)
    # CE is (.30 + .50) / (.40 + .60), relative (.80 - 2 × .20) / (1.00 - 2 × .30).
    assert (fog.operation, fog.ce, fog.relative) == ("fog", pytest.approx(0.8), pytest.approx(1.0))
    # CE is 1.00 / 1.00, relative (1.00 - .40) / (1.00 - .60).
    assert (snow.operation, snow.ce, snow.relative) == ("snow", pytest.approx(1.0), pytest.approx(1.5))


def test_the_reference_relative_to_itself_is_one() -> None:
    reference = summary(0.70, {"fog": [0.40, 0.60], "snow": [0.50, 0.55]}, "alexnet")
    for one in corruption_errors(reference, reference):
        assert (one.ce, one.relative) == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_reference_that_loses_nothing_has_no_relative_error() -> None:
    flat = summary(0.70, {"fog": [0.30, 0.30]}, "flat")
    [error] = corruption_errors(summary(0.8, {"fog": [0.3, 0.4]}, "mine"), flat)
    assert error.relative is None
    assert error.ce == pytest.approx(0.7 / 0.6)


def test_corruption_errors_refuse_what_does_not_compare() -> None:
    mine = summary(0.8, {"fog": [0.3, 0.5]}, "mine")
    with pytest.raises(CompareError, match="another fingerprint"):
        corruption_errors(mine, summary(0.8, {"fog": [0.3, 0.5]}, "b", fingerprint="g"))
    with pytest.raises(CompareError, match="lacks 1 of 2 settings: fog 2"):
        corruption_errors(mine, summary(0.8, {"fog": [0.3]}, "b"))
    with pytest.raises(CompareError, match="makes no error under fog"):
        corruption_errors(mine, summary(1.0, {"fog": [0.0, 0.0]}, "b"))


def logistic(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def test_effective_robustness_is_the_gap_to_the_baselines_line() -> None:
    # Baselines on logit(y) = 0.8 logit(x) - 0.5 exactly; the model scores .1 above it.
    clean = [0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65]
    on_line = {x: logistic(0.8 * np.log(x / (1 - x)) - 0.5) for x in (*clean, 0.52)}
    baselines = [summary(x, {"fog": [1 - on_line[x]]}, f"b{i}") for i, x in enumerate(clean)]
    [found] = effective_robustness(summary(0.52, {"fog": [1 - on_line[0.52] - 0.1]}, "mine"), baselines)
    assert (found.slope, found.intercept) == (pytest.approx(0.8), pytest.approx(-0.5))
    assert found.expected == pytest.approx(on_line[0.52])
    assert found.effective == pytest.approx(0.1)
    assert found.baselines == 8


def test_effective_robustness_is_refused_with_the_reason() -> None:
    mine = summary(0.5, {"fog": [0.6]}, "mine")
    seven = [summary(0.3 + i / 50, {"fog": [0.7 - i / 50]}, f"b{i}") for i in range(7)]
    with pytest.raises(CompareError, match="at least 8 baseline models, here are 7"):
        effective_robustness(mine, [*seven, seven[0]])  # the same model twice is one baseline
    eighth = summary(0.6, {"fog": [0.5]}, "b7")
    assert len(effective_robustness(mine, [*seven, eighth])) == 1
    with pytest.raises(CompareError, match="its own baseline"):
        effective_robustness(mine, [*seven, eighth, mine])
    with pytest.raises(CompareError, match="lacks t2i under fog"):
        effective_robustness(mine, [*seven, summary(0.6, {"snow": [0.5]}, "b7")])
    with pytest.raises(CompareError, match="has no logit"):
        effective_robustness(mine, [*seven, summary(1.0, {"fog": [0.5]}, "b7")])
    with pytest.raises(CompareError, match="another dataset"):
        effective_robustness(mine, [*seven, summary(0.6, {"fog": [0.5]}, "b7", fingerprint="g")])
    with pytest.raises(CompareError, match="same clean score"):
        effective_robustness(mine, [summary(0.5, {"fog": [0.5]}, f"c{i}") for i in range(8)])
