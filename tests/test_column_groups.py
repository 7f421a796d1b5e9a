"""Groups by the columns of a catalogue: every query with its image, frequent values, numbers in quarters, gaps."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compare_toys import Bench, bench, collection

from clipbench.errors import CompareError
from clipbench.store.dataset_columns import DatasetColumns, save_columns
from clipbench.study.comparing.by_group import by_group
from clipbench.study.comparing.column_groups import groups_by_columns
from clipbench.study.comparing.compare import compare
from clipbench.study.comparing.comparison import CompareRequest


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path / "store")


def sizes(by: str, cells: list[str]) -> dict[str, int]:
    """Return how many of as many images fall into each group by the one column "a"."""
    columns = DatasetColumns(("a",), tuple((cell,) for cell in cells))
    found = groups_by_columns(by, columns, {"i2t": np.arange(len(cells))})
    return {name: int(members["i2t"].sum()) for name, members in found if members["i2t"].any()}


def test_frequent_values_are_groups_and_the_others_are_one() -> None:
    cells = [f"v{n}" for n in range(20) for _ in range(n)] + ["", " "]
    found = sizes("column:a", cells)
    assert found == {**{f"a v{n}": n for n in range(19, 7, -1)}, "other a (7 values)": 28, "no a": 2}
    assert sizes("column:a", ["x", "y", "", "x"]) == {"a x": 2, "a y": 1, "no a": 1}
    assert (
        sizes("column:a", [f"v{n}" for n in range(30)])["other a (18 values)"] == 18
    )  # no value is frequent
    assert sizes("column:a", ["oak"] * 5 + [f"v{n}" for n in range(30)]) == {
        "a oak": 5,
        "other a (30 values)": 30,
    }


def test_numbers_are_cut_into_quarters_of_the_images() -> None:
    assert sizes("column:a", [str(n / 2) for n in range(40)] + [""]) == {
        "a 0–4.5": 10, "a 5–9.5": 10, "a 10–14.5": 10, "a 15–19.5": 10, "no a": 1,
    }  # fmt: skip
    many_zeros = ["0"] * 90 + [str(n) for n in range(1, 21)]
    assert sizes("column:a", many_zeros) == {"a 0": 90, "a 1–20": 20}
    assert set(sizes("column:a", ["nan", "inf", *(str(n) for n in range(13))])) >= {"a 0", "a 1"}


def test_gaps_are_told_by_column_and_overlap() -> None:
    columns = DatasetColumns(("a", "b"), (("x", "y"), ("", "y"), ("", ""), ("x", " ")))
    rows = {"i2t": np.arange(4)}
    found = {name: members["i2t"].tolist() for name, members in groups_by_columns("missing", columns, rows)}
    assert found == {
        "no a": [False, True, True, False],
        "no b": [False, False, True, True],
        "nothing missing": [True, False, False, False],
    }
    assert [name for name, _ in groups_by_columns("missing:b", columns, rows)] == ["no b", "with b"]


def test_captions_and_images_are_grouped_by_their_image_in_comparisons_and_in_one_run(made: Bench) -> None:
    dataset = collection()  # 12 images of 3 captions
    runs = [made.run(dataset, 0.5), made.run(dataset, 1.5, seed=1)]
    with pytest.raises(CompareError, match="keeps no columns besides image and caption"):
        compare(made.store, runs, CompareRequest(by="column:kind", resamples=100))
    kinds = ["chair"] * 5 + ["lamp"] * 7
    save_columns(made.store, dataset.key, DatasetColumns(("kind",), tuple((kind,) for kind in kinds)))
    found = compare(made.store, runs, CompareRequest(by="column:kind", resamples=200))
    told = {(line.group, line.direction): (line.queries, line.images) for line in found.lines}
    assert told == {
        ("kind lamp", "t2i"): (21, 7), ("kind lamp", "i2t"): (7, 7),
        ("kind chair", "t2i"): (15, 5), ("kind chair", "i2t"): (5, 5),
    }  # fmt: skip
    alone = by_group(made.store, runs[0], CompareRequest(by="column:kind", resamples=200))
    [one] = [g for g in alone.groups if (g.group, g.direction) == ("kind chair", "t2i")]
    scores = made.scores[runs[0].key][:, :15]
    right = scores[dataset.owners[:15], np.arange(15)]
    assert dict(one.values)["hit@1"].value == pytest.approx(((scores > right).sum(axis=0) == 0).mean())
    [line] = [o for o in found.lines if (o.group, o.direction, o.metric) == ("kind chair", "t2i", "hit@1")]
    assert line.reference.value == dict(one.values)["hit@1"].value
    assert [g.group for g in alone.groups[:2]] == ["", ""]


@pytest.mark.parametrize("by", ["column", "column:", "column:size", "missing:size"])
def test_a_column_that_there_is_not_is_told_with_those_there_are(by: str) -> None:
    with pytest.raises(CompareError, match=r"there are a$"):
        sizes(by, ["x"])
