"""`clipbench runs`: one run whole, its ledger query by query, tags, and deleting."""

import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, caption, cli, draw, environment, good, refused, write_csv

from clipbench.encoders.toy import ToyEncoder

HEADS = [
    "direction", "query", "caption", "own image", "rank", "above", "tied", "positives", "top1", "top1 right",
    "positive score", "other score", "margin",
]  # fmt: skip
CAPTIONS = [(i, j) for i in range(9) for j in range(1 + i % 3)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder, images=9, captions=(1, 2, 3))
        good("evaluate", "toys", "--model", "toy", "--k", "1", "--tag", "one")
        good("evaluate", "toys", "--model", "toy", "--tag", "all")
    return folder / "store"


def ledger(store: Path, *words: str) -> list[dict[str, str]]:
    return good("runs", "export", "all", *words, store=store).rows


def scores(store: Path) -> np.ndarray:
    """Scores of captions by images, straight from the encoder."""
    from PIL import Image

    encoder = ToyEncoder()
    photographs = [Image.open(store.parent / "photos" / f"p{i:03}.png") for i in range(9)]
    images = encoder.encode_images(np.stack([encoder.prepare(photograph) for photograph in photographs]))
    texts = encoder.encode_texts([caption(i, j) for i, j in CAPTIONS]).vectors
    product: np.ndarray = texts.astype(np.float64) @ images.astype(np.float64).T
    return product


def test_the_ledger_names_every_query_and_what_it_found(store: Path) -> None:
    found = ledger(store)
    assert list(found[0]) == HEADS
    assert [row["query"] for row in found] == [
        *(f"p{i:03}.png#{j}" for i, j in CAPTIONS),
        *(f"p{i:03}.png" for i in range(9)),
    ]
    matrix, owners = scores(store), np.array([i for i, _ in CAPTIONS])
    for query, row in enumerate(found[: len(CAPTIONS)]):
        own, image = matrix[query], owners[query]
        assert row["caption"] == caption(*CAPTIONS[query])
        assert row["own image"] == f"p{image:03}.png"
        assert float(row["rank"]) == 1 + sum(own > own[image]) == int(row["above"]) + 1
        assert row["top1"] == f"p{own.argmax():03}.png"
        assert row["top1 right"] == str(int(own.argmax() == image))
        assert float(row["positive score"]) == pytest.approx(own[image], abs=1e-6)
        assert float(row["other score"]) == pytest.approx(np.delete(own, image).max(), abs=1e-6)
        assert float(row["margin"]) == pytest.approx(own[image] - np.delete(own, image).max(), abs=1e-6)
    for image, row in enumerate(found[len(CAPTIONS) :]):
        own, right = matrix[:, image], owners == image
        assert float(row["rank"]) == 1 + sum(own > own[right].max())
        assert (int(row["positives"]), row["caption"]) == (right.sum(), "")
        best = CAPTIONS[own.argmax()]
        assert row["top1"] == f"p{best[0]:03}.png#{best[1]}"


def test_one_direction_alone(store: Path) -> None:
    assert {row["direction"] for row in ledger(store, "--direction", "i2t")} == {"i2t"}
    assert len(ledger(store, "--direction", "t2i")) == len(CAPTIONS)


def test_a_ledger_names_what_was_added_to_the_gallery(tmp_path: Path) -> None:
    added(tmp_path / "own", images=6)
    draw(tmp_path / "photos", 12)  # the first six are the same pictures
    rows = [(f"p{number:03}.png", f"picture {number}") for number in range(12)]
    file = write_csv(tmp_path / "more.csv", rows)
    good("dataset", "add", "more", "--captions", file, "--images", tmp_path / "photos", "-q")
    words = (
        "robustness",
        "gallery",
        "toys",
        "--model",
        "toy",
        "--distractors",
        "more",
        "--control",
        "colour-flip",
    )
    good(*words)
    own = {row["top1"] for row in good("runs", "export", "latest:kind=evaluate").rows}
    for kind, names in (
        ("distractors", {f"more/p{number:03}.png" for number in range(6, 12)}),
        ("fooling", {f"colour-flip copy {number}" for number in range(1, 200)}),
    ):
        found = good("runs", "export", f"latest:kind={kind}").rows
        others = {row["top1"] for row in found if row["top1"] not in own}
        assert others, "the toy encoder mistakes some"
        assert others <= names | {f"p{n:03}.png" for n in range(6)} | {
            f"p{n:03}.png#{k}" for n in range(6) for k in (0, 1)
        }
        assert others & names
        wrong = [row for row in found if row["top1"] in names]
        assert {row["top1 right"] for row in wrong} == {"0"}
        assert all(float(row["rank"]) > 1 for row in wrong)


def test_recalls_for_other_tools_are_of_the_whole_gallery_only(tmp_path: Path) -> None:
    added(tmp_path, images=6)
    good("robustness", "gallery", "toys", "--model", "toy", "--no-fooling", "--sizes", "2,4")
    told = good("runs", "export", "latest:kind=gallery-size", "--format", "clip-benchmark").json
    assert set(told["metrics"]) == {
        f"{side}_retrieval_recall@{k}" for side in ("image", "text") for k in (1, 5, 10)
    }


def test_parquet_and_csv_files_hold_the_same(store: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out, text = tmp_path / "ledger.parquet", tmp_path / "ledger.csv"
    count = len(CAPTIONS) + 9
    done = good("runs", "export", "all", "--out", out, "--format", "parquet", store=store)
    assert done.out == f"wrote {out}: {count} queries\n"
    good("runs", "export", "all", "--out", text, store=store)
    table = parquet.read_table(out).to_pylist()
    assert list(table[0]) == HEADS
    for row, line in zip(table, csv.DictReader(io.StringIO(text.read_text())), strict=True):
        for name, value in row.items():
            assert line[name] == ("" if value is None else str(value))
    assert ledger(store) == list(csv.DictReader(io.StringIO(text.read_text())))


def test_a_file_is_overwritten_only_when_forced_and_never_half(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "ledger.csv"
    out.write_text("mine")
    assert f"{out} exists" in refused("runs", "export", "all", "-o", out, store=store)
    assert out.read_text() == "mine"
    good("runs", "export", "all", "-o", out, "--force", store=store)
    assert out.read_text().startswith("direction,query")
    told = refused("runs", "export", "all", "-o", tmp_path / "no" / "x.csv", store=store)
    assert f"there is no folder {tmp_path / 'no'}" in told
    assert "Parquet cannot go to stdout" in refused("runs", "export", "all", "-f", "parquet", store=store)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.csv"]


def test_show_gives_every_number_and_where_it_comes_from(store: Path) -> None:
    numbers, facts = good("runs", "show", "all", "--json", store=store).json
    assert {row["direction"] for row in numbers["rows"]} == {"t2i", "i2t", "both"}
    told = {row["fact"]: row["value"] for row in facts["rows"]}
    assert told["command"] == "clipbench evaluate toys --model toy --tag all"
    assert told["tags"] == "all"
    assert '"resamples": 2000' in told["protocol"]
    assert '"numpy"' in told["libraries"]
    assert set(told) >= {"run", "dataset", "model", "metric version", "created", "platform", "python", "git"}
    for form in ("table", "csv", "markdown", "latex"):
        text = good("runs", "show", "all", "--format", form, store=store).out
        assert "nDCG@10" in text
        assert told["run"] in text.replace(r"\allowbreak{}", "")  # a key may break in a paper
    assert good("runs", "show", store=store).out == good("runs", "show", "all", store=store).out


def test_a_run_is_named_by_the_beginning_of_its_key_a_tag_or_latest(store: Path) -> None:
    key = good("report", "--tag", "one", "--json", store=store).json["rows"][0]["run"]
    told = good("runs", "show", "one", store=store).out
    assert good("runs", "show", key, store=store).out == told
    assert good("runs", "show", key.removeprefix("run:")[:8], store=store).out == told
    for word in ("zzzz", "al", ""):
        message = refused("runs", "show", word, store=store)
        assert f"no run is called {word!r}" in message
        assert "the newest:" in message
        assert "try: clipbench runs list" in message


@pytest.fixture
def two(tmp_path: Path) -> Path:
    added(tmp_path, images=4)
    good("evaluate", "toys", "--model", "toy", "--tag", "both")
    good("evaluate", "toys", "--model", "toy", "--k", "1", "--tag", "both", "--tag", "second")
    return tmp_path / "home"


def tags() -> list[str]:
    return [row["tags"] for row in good("report", "--json").json["rows"]]


def test_tags_are_hung_and_taken_off(two: Path) -> None:
    assert "tagged good better" in good("runs", "tag", "second", "good", "better").out
    assert tags() == ["better both good second", "both"]
    good("runs", "tag", "good", "better", "second", "--remove")
    assert tags() == ["both good", "both"]
    assert "has no tag 'second'" in refused("runs", "tag", "good", "second", "--remove")
    for word in ("latest", "two words", ""):
        assert "cannot be a tag" in refused("runs", "tag", "good", word)


def test_a_tag_of_several_runs_names_none_of_them(two: Path) -> None:
    told = refused("runs", "show", "both")
    assert "'both' means 2 runs" in told
    assert len([line for line in told.splitlines() if " toys " in line]) == 2


def test_delete_asks_and_no_answer_is_no(two: Path) -> None:
    for answer in ("n\n", "", "\n"):
        done = cli("runs", "delete", "latest", given=answer)
        assert done.code == 1
        assert "Traceback" not in done.err
        assert done.out.strip() == "", "the question is no result"
        assert "Delete run" in done.err
    assert len(tags()) == 2
    done = cli("runs", "delete", "second", given="y\n")
    assert done.code == 0
    assert done.out.strip().startswith("deleted run ")
    assert tags() == ["both"]
    good("runs", "delete", "both", "--yes")
    assert tags() == []
    assert "there is no run in the store yet" in refused("runs", "delete", "latest", "--yes")
    assert good("store", "info", "--json").json["rows"][-4]["value"] != "0", "vectors stay"


def test_a_deleted_run_comes_back_the_same(two: Path) -> None:
    before = good("runs", "show", "second", "--json").json[0]["rows"]
    good("runs", "delete", "second", "--yes")
    good("evaluate", "toys", "--model", "toy", "--k", "1")
    assert good("runs", "show", "latest", "--json").json[0]["rows"] == before
