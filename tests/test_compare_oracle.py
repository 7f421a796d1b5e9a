"""`clipbench report --compare` as typed, every line held against numpy written from the definitions."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, draw, environment, good, write_csv
from compare_oracle import VALUES, check_corrections, check_line, ledger

PAIR = ("latest:word-dropout=0.3", "latest:clean")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures of six colours, with two, three or five captions each."""
    folder = tmp_path_factory.mktemp("oracle")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "source", images=40, captions=(2, 3, 5))
        good("robustness", "sweep", "toys", "--model", "toy", "--perturb", "word-dropout",
             "--levels", "0.3,0.5", "--seeds", "2", "-q")  # fmt: skip
    return folder / "store"


@pytest.fixture(autouse=True)
def here(store: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPBENCH_STORE", str(store))


def rows(*words: str) -> list[dict[str, str]]:
    return good("report", "--compare", *PAIR, *words, "--format", "csv").rows


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_every_metric_is_what_the_definitions_say(direction: str) -> None:
    before, after = (ledger(run, direction) for run in PAIR)
    own = [row for row in rows() if row["direction"] == direction and row["metric"] in VALUES]
    assert {row["metric"] for row in own} == set(VALUES)
    for row in own:
        check_line(row, before, after)


@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_corrections_are_over_the_whole_table(correction: str) -> None:
    check_corrections(rows("--correction", correction))


def test_a_word_parts_captions_and_images_and_each_part_is_tested_alone() -> None:
    found = rows("--by", "word", "red")
    for direction in ("t2i", "i2t"):
        before, after = (ledger(run, direction) for run in PAIR)
        captions = ledger(PAIR[0], "t2i")
        holds = np.array([re.search(r"\bred\b", text) is not None for text in captions.captions])
        inside = holds if direction == "t2i" else np.isin(before.images, captions.images[holds])
        for group, members in (("with 'red'", inside), ("without 'red'", ~inside)):
            own = [r for r in found if (r["direction"], r["group"]) == (direction, group)]
            assert {row["metric"] for row in own} == {"hit@1", "hit@5", "hit@10", "MRR"}
            for row in own:
                check_line(row, before.only(members), after.only(members))
    check_corrections(found)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captions of several lengths, many of which are those of other images too: scores of captions tie."""
    folder = tmp_path_factory.mktemp("repeated")
    names = draw(folder / "photos", 30)
    texts = [(name, f"a {('red', 'blue', 'green')[n % 3]} field" + " very far away" * ((n + j) % 5))
             for n, name in enumerate(names) for j in range(3)]  # fmt: skip
    file = write_csv(folder / "captions.csv", texts)
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        good("dataset", "add", "toys", "--captions", file, "--images", folder / "photos", "-q")
        good("robustness", "sweep", "toys", "--model", "toy", "--perturb", "word-dropout", "--levels", "0.3",
             "-q")  # fmt: skip
    return folder / "store"


def test_lengths_part_captions_and_each_part_is_tested_alone(
    repeated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPBENCH_STORE", str(repeated))
    before, after = (ledger(run, "t2i") for run in PAIR)
    found = rows("--by", "caption-length")
    words = np.array([len(text.split()) for text in before.captions])
    groups = {
        "1–6 words": words <= 6,
        "7–9 words": (words >= 7) & (words <= 9),
        "10–12 words": (words >= 10) & (words <= 12),
        "13–16 words": (words >= 13) & (words <= 16),
    }
    assert {row["group"] for row in found} == set(groups)
    for row in found:
        check_line(row, before.only(groups[row["group"]]), after.only(groups[row["group"]]))
    check_corrections(found)


def test_ties_count_by_their_expected_value(repeated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPBENCH_STORE", str(repeated))
    before, after = (ledger(run, "i2t") for run in PAIR)
    assert ((after.tied > 1) & (after.above < 10)).sum() > 5
    own = [row for row in rows() if row["direction"] == "i2t" and row["metric"] in VALUES]
    for row in own:
        check_line(row, before, after)
