"""`clipbench adapt ablate`: a grid as stored adapters and runs, chosen on validation, told against zero-shot."""

from __future__ import annotations

from pathlib import Path

import pytest
from adapt_toys import split
from cli_toys import cli, good, refused

from clipbench.home import locate
from clipbench.store.adapters import list_adapters
from clipbench.store.engine import open_store
from clipbench.store.queries import list_runs
from clipbench.store.verify import verify
from clipbench.study.adapting import ablation
from clipbench.study.runs.run_kinds import derived

SCAN = (
    *("adapt", "ablate", "train", "--val", "val", "--test", "test", "--model", "toy"),
    *("--alpha", "0,0.5", "--epochs", "2", "--batch", "8", "--rate", "0.01", "--seeds", "2"),
)


@pytest.fixture
def sets(tmp_path: Path) -> None:
    for number, name in enumerate(("train", "val", "test", "origin")):
        other = tmp_path / name
        other.mkdir()
        split(other, name, number)


def test_every_cell_is_a_stored_adapter_with_stored_runs_and_again_it_only_reads(sets: None) -> None:
    first = good(*SCAN, "--json")
    assert "3 cells, 5 trainings: 0 stored, 5 to do; 18 runs: 0 stored, 18 to do" in first.err
    store = open_store(locate())
    # α 0 learns nothing, so one seed says it all; the two-tower control stands beside the grid.
    assert [one.record["recipe"].get("head", "residual") for one in list_adapters(store)] == [
        *("residual",) * 3,
        *("two-tower",) * 2,
    ]
    assert len(list_runs(store)) == 18
    again = good(*SCAN, "--json")
    assert "5 stored, 0 to do; 18 runs: 18 stored, 0 to do" in again.err
    assert again.json == first.json
    assert verify(store, deep=True, recompute=derived).problems == ()


def test_a_share_of_0_is_zero_shot_and_the_control_is_never_chosen(sets: None) -> None:
    rows = good(*SCAN, "--json", "-q").json["rows"]
    assert {row["delta"] for row in rows if row["alpha"] == 0} == {0.0}
    assert {row["control"] for row in rows if row["chosen"]} == {False}
    best = max((row["validation_rsum"], row["cell"]) for row in rows if not row["control"])
    assert {row["validation_rsum"] for row in rows if row["chosen"]} == {best[0]}
    keys = {(row["cell"], row["operation"], row["direction"], row["metric"]) for row in rows}
    assert len(keys) == len(rows) == 3 * 3 * 2 * 4


def test_a_dry_run_stores_nothing_and_says_what_it_will_cost(sets: None) -> None:
    said = good(*SCAN, "--dry-run")
    assert "on this machine" in said.out
    assert "MB of vectors" in said.out
    store = open_store(locate())
    assert (list_adapters(store), list_runs(store)) == ((), ())


def test_a_stopped_ablation_goes_on(sets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    train, calls = ablation.train_on, []

    def stopping(*words, **more):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*words, **more)

    monkeypatch.setattr(ablation, "train_on", stopping)
    stopped = cli(*SCAN)
    assert stopped.code == 130
    assert "2 of 5 trainings of this ablation are stored and measured" in stopped.err
    monkeypatch.setattr(ablation, "train_on", train)
    assert "2 stored, 3 to do" in good(*SCAN).err


def test_no_two_of_the_datasets_share_an_image(sets: None) -> None:
    assert "train and train share 12" in refused(*SCAN, "--origin", "train")
    assert "val and val share 12" in refused(*SCAN[:5], "--test", "val", "--model", "toy")


def test_words_that_mean_nothing_are_refused(sets: None) -> None:
    assert "there is no loss 'magic'" in refused(*SCAN, "--loss", "magic")
    assert "there is no head 'hat'" in refused(*SCAN, "--head", "hat")
    assert "does not show 'R@7'" in refused(*SCAN, "--metric", "R@7")
    assert "alpha lies in 0..1" in refused(*SCAN[:9], "--alpha", "0:2:1")
    assert "no level" in refused(*SCAN, "--perturb", "word-dropout=much")


def test_figures_show_the_metric_against_alpha_and_what_a_gain_costs(sets: None, tmp_path: Path) -> None:
    few = (*SCAN[:-2], "--no-control", "--perturb", "word-shuffle", "--origin", "origin")
    good(*few, "--figures", tmp_path / "figures", "-q")
    assert {path.name for path in (tmp_path / "figures").glob("*.png")} == {
        "R1-against-alpha.png",
        "R1-target-against-origin.png",
        "R1-clean-against-robust.png",
    }
