"""A score that luck alone explains is warned of, in one line; the bound is the binomial's own."""

from fractions import Fraction
from math import comb
from pathlib import Path

import pytest
from cli_toys import draw, good, write_csv

from clipbench.reports.chance import by_chance
from clipbench.statistics.chance import luckiest


@pytest.mark.parametrize(
    ("level", "queries"), [(Fraction(1, 10), 30), (Fraction(1, 3), 7), (Fraction(1, 1000), 5)]
)
def test_the_bound_is_the_quantile_of_the_binomial(level: Fraction, queries: int) -> None:
    below, hits = Fraction(0), -1
    while below < Fraction(975, 1000):
        hits += 1
        below += comb(queries, hits) * level**hits * (1 - level) ** (queries - hits)
    assert luckiest(float(level), queries) == hits / queries


def test_the_bound_of_many_queries_is_near_the_normal_one() -> None:
    assert luckiest(0.5, 25_000) == pytest.approx(0.5 + 1.96 * (0.25 / 25_000) ** 0.5, abs=1e-4)
    assert luckiest(0.0002, 25_000) == pytest.approx(10 / 25_000)


def test_scores_at_chance_are_named_and_those_that_no_score_could_beat_are_not() -> None:
    values = {("t2i", "hit@1"): 0.10, ("t2i", "chance-hit@1"): 0.1, ("t2i", "queries"): 30.0}
    assert by_chance(values) == [("t2i R@1", 7 / 30)]
    assert not by_chance({**values, ("t2i", "hit@1"): 0.24})
    assert by_chance({**values, ("t2i", "hit@1"): 0.0}), "worse than chance is no better"
    sure = {("t2i", "hit@10"): 1.0, ("t2i", "chance-hit@10"): 0.9, ("t2i", "queries"): 10.0}
    assert not by_chance(sure)
    assert not by_chance({("t2i", "hit@1"): 0.1})


def test_a_model_that_knows_nothing_is_warned_of_in_one_line(tmp_path: Path) -> None:
    names = draw(tmp_path, 40)
    rows = [(name, "the very same words") for name in names]
    good("dataset", "add", "toys", "-c", write_csv(tmp_path / "c.csv", rows), "--images", tmp_path)
    told = good("evaluate", "toys", "--model", "toy").out
    lines = [line for line in told.splitlines() if "within the 95 % interval of a random ranking" in line]
    assert len(lines) == 1
    assert "t2i R@1 (up to 0.0750)" in lines[0]
    assert "within the 95 % interval of a random ranking" in good("runs", "list").out
    assert "R@1 within the 95 % interval of a random ranking" in good("report", "--leaderboard").out
    good(
        "robustness", "sweep", "toys", "--model", "toy", "--perturb", "word-dropout", "--levels", "0.5", "-q"
    )
    compared = good("report", "--compare", "latest:clean", "latest:word-dropout=0.5", "--resamples", "200")
    assert "R@1 within the 95 % interval of a random ranking: " in compared.out
