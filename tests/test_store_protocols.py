"""Runs that were scored in another way look different wherever runs are listed, and usual ones say nothing."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, good, refused

from clipbench.keys import Json
from clipbench.records import Protocol
from clipbench.store.protocols import protocol_words

SEVERAL: tuple[tuple[str, ...], ...] = (
    (),
    ("--fold", "3"),
    ("--ties", "optimistic"),
    ("--duplicate-aware",),
    ("--k", "1", "--k", "2"),
    ("--resamples", "200", "--seed", "4", "--confidence", "0.9"),
)
WORDS = (
    "",
    "folds of 3",
    "optimistic ties",
    "duplicate-aware",
    "K 1 2",
    "200 resamples, resampling seed 4, 90 % intervals",
)


def test_the_usual_protocol_is_what_evaluate_does_unasked() -> None:
    assert protocol_words({}) == ""
    assert protocol_words(Protocol().as_json()) == ""


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (Protocol(ks=(1, 20), directions=("i2t",)), "K 1 20, i2t only"),
        (Protocol(fold=1000, ties="pessimistic"), "folds of 1,000, pessimistic ties"),
        (Protocol(fold=1000, resamples=100, seed=3, confidence=0.9), "folds of 1,000"),
    ],
)
def test_what_differs_is_named_and_of_folds_nothing_about_intervals(protocol: Protocol, words: str) -> None:
    assert protocol_words(protocol.as_json()) == words


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"sizes": [10, 100, 2895]}, "galleries of 10 to 2,895"),
        ({"distractors": {"dataset": "content:0123456789", "added": 5000}}, "5,000 distractors of 01234567"),
        ({"fooling": [["number-flip", 7]], "genuine": 5}, "number-flip"),
        ({"fooling": [["a", 1], ["b", 2], ["c", 3], ["d", 4]]}, "4 controls"),
    ],
)
def test_a_gallery_under_stress_says_which(extra: dict[str, Json], words: str) -> None:
    assert protocol_words({**Protocol().as_json(), **extra}) == words


def test_a_protocol_of_an_older_version_lacks_what_goes_without_saying() -> None:
    assert protocol_words({}) == ""
    assert protocol_words({"ties": "optimistic"}) == "optimistic ties"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("protocols")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIPBENCH_STORE", str(folder / "store"))
        added(folder, images=6)
        for words in SEVERAL:
            good("evaluate", "toys", "--model", "toy", "--tag", "t", *words)
        good("robustness", "gallery", "toys", "--model", "toy", "--sizes", "2,4", "--no-fooling")
    return folder / "store"


def test_lists_for_people_and_programs_say_the_protocol(store: Path) -> None:
    expected = [*WORDS, "galleries of 2 to 4"]
    rows = good("runs", "list", "--json", store=store).json["rows"]
    assert [row["protocol"] for row in reversed(rows)] == expected
    assert [row["protocol"] for row in reversed(good("report", "-f", "csv", store=store).rows)] == expected
    shown = cli("report", store=store, columns=400).out  # folded cells would part the words
    assert "protocol" in shown
    for words in expected:
        assert words in shown


def test_a_list_of_usual_runs_has_no_such_column_for_people_and_an_empty_one_for_programs(
    tmp_path: Path,
) -> None:
    added(tmp_path, images=3)
    good("evaluate", "toys", "--model", "toy")
    assert "protocol" not in good("report").out
    assert [row["protocol"] for row in good("report", "-f", "csv").rows] == [""]


def test_candidates_that_an_error_lists_are_told_apart(store: Path) -> None:
    told = refused("runs", "show", "t", store=store)
    assert "'t' means 6 runs:" in told
    assert all(f"  {words}  2" in told for words in WORDS if words)


def test_the_view_has_a_column_for_each_part(store: Path) -> None:
    question = (
        "SELECT fold, tie_policy, positives, directions, cutoffs, "
        "json_extract(protocol, '$.resamples') AS resamples FROM runs WHERE kind = 'evaluate' ORDER BY number"
    )
    rows = good("report", "--query", question, "--json", store=store).json["rows"]
    usual = {
        "fold": None, "tie_policy": "expected", "positives": "own", "directions": "t2i i2t",
        "cutoffs": "1 5 10", "resamples": 2000,
    }  # fmt: skip
    assert rows == [
        usual,
        {**usual, "fold": 3},
        {**usual, "tie_policy": "optimistic"},
        {**usual, "positives": "equal-captions"},
        {**usual, "cutoffs": "1 2"},
        {**usual, "resamples": 200},
    ]
