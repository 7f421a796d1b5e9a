"""Leaderboards: the order is the scores', the ranks say what the tests allow, and every pair is one of `compare`."""

from pathlib import Path

import pytest
from cli_toys import added, environment, good, misused
from compare_toys import Bench, collection
from compare_toys import bench as new_bench

from clipbench.errors import CompareError
from clipbench.records import Perturbation
from clipbench.reports.comparing.leaderboard import leaderboard_of, leaderboard_table
from clipbench.statistics.multiple import holm
from clipbench.store.queries import RunFilter
from clipbench.store.runs import load_metrics
from clipbench.study.comparing.compare import compare
from clipbench.study.comparing.comparison import CompareRequest
from clipbench.study.comparing.leaderboard import Leaderboard, leaderboards

REQUEST = CompareRequest(resamples=2000)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return new_bench(tmp_path / "store")


def board_of(bench: Bench, **filters: str) -> Leaderboard:
    (board,) = leaderboards(bench.store, RunFilter(**filters), REQUEST)  # type: ignore[arg-type]
    return board


@pytest.fixture
def three(bench: Bench) -> Bench:
    data = collection(images=40)
    for model, noise in (("good", 0.2), ("alike", 0.21), ("bad", 3.0)):
        bench.run(data, noise, model=model)
    return bench


def test_the_best_score_stands_first_and_twins_share_a_range_of_ranks(three: Bench) -> None:
    board = board_of(three)
    scores = [one.estimate.value for one in board.standings]
    assert scores == sorted(scores, reverse=True)
    assert {one.run.model for one in board.standings[:2]} == {"good", "alike"}
    assert [(one.first, one.last) for one in board.standings] == [(1, 2), (1, 2), (3, 3)]
    assert board.standings[0].gap == 0
    assert board.standings[0].p is None
    assert board.tests == 3


def test_its_p_values_are_those_of_the_pairs_under_holm_over_all_of_them(three: Bench) -> None:
    board = board_of(three)
    runs = [one.run for one in board.standings]
    request = CompareRequest(metrics=("R@1",), resamples=2000)
    raw = {
        (first, second): next(
            line.tested.p
            for line in compare(three.store, [runs[first], runs[second]], request).lines
            if line.direction == "t2i" and line.tested is not None
        )
        for first in range(3)
        for second in range(first + 1, 3)
    }
    adjusted = dict(zip(raw, holm(list(raw.values())).tolist(), strict=True))
    assert [one.p for one in board.standings[1:]] == pytest.approx([adjusted[0, 1], adjusted[0, 2]], abs=0.01)


def test_the_newest_run_of_a_model_stands_and_perturbed_scores_are_means_over_seeds(bench: Bench) -> None:
    data = collection(images=20)
    bench.run(data, 0.2, model="a")
    newest = bench.run(data, 0.5, model="a")
    bench.run(data, 0.4, model="b")
    values = []
    for seed in (0, 1):
        run = bench.run(
            data, 1.0, seed=seed, model="a", setting=Perturbation("word-dropout", "text", 0.3, seed, {})
        )
        (own,) = leaderboards(bench.store, RunFilter(model="a"), REQUEST)
        values.append(run)
    board = board_of(bench)
    mine = next(one for one in board.standings if one.run.model == "a")
    assert mine.run.key == newest.key
    assert board.settings == (("word-dropout", 0.3),)
    mean, seeds = mine.perturbed["word-dropout", 0.3]
    stored = [
        next(m.value for m in load_metrics(bench.store, run.key) if (m.direction, m.name) == ("t2i", "hit@1"))
        for run in values
    ]
    assert (mean, seeds) == (pytest.approx(sum(stored) / 2), 2)
    assert own.standings[0].run.key == newest.key
    table = leaderboard_table(board)
    assert [column.heading for column in table.columns][-1] == "word-dropout 0.3"


def test_a_low_score_is_best_where_low_is_good_and_rsum_is_of_both_directions(three: Bench) -> None:
    (by_rank,) = leaderboards(three.store, RunFilter(), CompareRequest(metrics=("MeanR",), resamples=500))
    values = [one.estimate.value for one in by_rank.standings]
    assert values == sorted(values)
    (by_sum,) = leaderboards(three.store, RunFilter(), CompareRequest(metrics=("rsum",), resamples=500))
    assert by_sum.direction == "both"
    assert by_sum.standings[-1].run.model == "bad"


def test_datasets_and_protocols_have_tables_of_their_own(three: Bench) -> None:
    three.run(collection(images=10, name="others", words="another"), 0.2, model="good")
    boards = leaderboards(three.store, RunFilter(), REQUEST)
    assert [(one.dataset, len(one.standings)) for one in boards] == [("others", 1), ("toys", 3)]
    (alone, _) = boards
    assert leaderboard_table(alone).notes == ("one run: nothing to tell it from",)


def test_named_runs_alone_stand_in_their_table(three: Bench) -> None:
    chosen = [one.run for one in board_of(three).standings if one.run.model != "alike"]
    assert len(leaderboard_of(three.store, chosen).rows) == 2


def test_without_a_clean_run_the_next_command_is_told(bench: Bench) -> None:
    with pytest.raises(CompareError, match="no clean run"):
        leaderboards(bench.store, RunFilter(), REQUEST)


def test_several_models_are_evaluated_and_ranked_in_one_command(tmp_path: Path) -> None:
    with environment(CLIPBENCH_STORE=str(tmp_path / "store")):
        added(tmp_path / "source", images=6)
        done = good("evaluate", "toys", "--model", "toy", "--model", "demo", "--format", "csv", "-q")
        assert {row["model"] for row in done.rows} == {"toy", "demo"}
        again = good("report", "--leaderboard", "--dataset", "toys", "--format", "csv")
        assert again.rows == done.rows
        assert "ranks by one" in " ".join(
            misused("report", "--leaderboard", "--metric", "R@1", "--metric", "R@5").split()
        )
