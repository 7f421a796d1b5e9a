"""A catalogue from the command line: captions of columns, columns kept, splits by groups, the drawn one, groups of queries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_toys import draw, good, misused, refused, write_csv

from clipbench.home import locate
from clipbench.metrics.positives import folded
from clipbench.records import Dataset
from clipbench.store.dataset_columns import load_columns
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import open_store

HEADS = ("sku", "kind", "colour", "price", "about", "image")
ABOUT = ("Made by hand.", "Fits any room.", "A gift.", "Soft.", "", "Can be washed.")
TEMPLATE = "{kind}, {colour}. {about}"


def shop(folder: Path, count: int = 24) -> Path:
    """Products of which some lack a colour or a description, one its photograph's name."""
    rows = [
        (
            f"{n:03}",
            ("Chair", "Lamp", "Rug")[n % 3],
            "" if n % 8 == 3 else ("red", "blue")[n % 2],
            f"{n * 5 / 2:g}",
            ABOUT[n % 6],
            "" if n == 23 else name,
        )
        for n, name in enumerate(draw(folder / "photos", count))
    ]
    return write_csv(folder / "shop.csv", rows, HEADS)


def add(file: Path, *words: str, name: str = "shop") -> tuple[str | Path, ...]:
    return (
        "dataset",
        "add",
        name,
        "--captions",
        file,
        "--images",
        file.parent / "photos",
        "--require",
        "image",
        *words,
    )


def stored(name: str = "shop") -> Dataset:
    return load_dataset(open_store(locate()), name)


def test_captions_are_composed_and_the_other_columns_kept(tmp_path: Path) -> None:
    done = good(*add(shop(tmp_path), "--caption-template", TEMPLATE))
    assert "1 row left out: image is empty" in done.err
    assert "other columns are kept: sku, kind, colour, price, about" in done.err
    dataset = stored()
    assert [c.text for c in dataset.captions[:5]] == [
        "Chair, red. Made by hand.", "Lamp, blue. Fits any room.", "Rug, red. A gift.", "Chair. Soft.", "Lamp, red",
    ]  # fmt: skip
    columns = load_columns(open_store(locate()), dataset.key)
    assert columns is not None
    assert (columns.names, columns.cells[3]) == (HEADS[:5], ("003", "Chair", "", "7.5", "Soft."))


def test_several_templates_make_several_captions_and_equal_ones_are_one(tmp_path: Path) -> None:
    good(*add(shop(tmp_path), "--caption-template", TEMPLATE, "--caption-template", "{kind}, {colour}", "-q"))
    assert [c.text for c in stored().captions[:3]] == [
        "Chair, red. Made by hand.",
        "Chair, red",
        "Lamp, blue. Fits any room.",
    ]
    assert [len(s.captions) for s in stored().samples[3:6]] == [2, 1, 2]  # "Lamp, red" twice is once


def test_another_template_is_another_dataset(tmp_path: Path) -> None:
    file = shop(tmp_path)
    good(*add(file, "--caption-template", TEMPLATE, "-q"))
    good(*add(file, "--caption-template", "{kind}. {about}", "-q", name="other"))
    assert stored().fingerprint != stored("other").fingerprint
    assert "means other content" in refused(*add(file, "--caption-template", "{kind}", "-q"))


def test_list_and_show_tell_columns_and_how_captions_were_made(tmp_path: Path) -> None:
    good(*add(shop(tmp_path), "--caption-template", TEMPLATE, "-q"))
    [row] = good("dataset", "list", "--json").json["rows"]
    assert (row["columns"], row["captions made by"]) == ("sku, kind, colour, price, about", TEMPLATE)
    facts, columns, _ = good("dataset", "show", "shop", "--json").json
    assert {"fact": "captions made by", "value": TEMPLATE} in facts["rows"]
    assert columns["rows"][2] == {
        "column": "colour", "filled": 20, "empty": 3, "values": 2, "most frequent": "red (12), blue (8)",
    }  # fmt: skip
    assert TEMPLATE in good("dataset", "list").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--caption-template", "{color}"), "there is no column 'color'; found: sku, kind, colour, price, about, image"),
        (("--caption-template", "{kind}", "--require", "size"), "there is no column 'size'"),
        (("--caption-template", "{kind"), "a brace without the other one"),
        (("--caption-template", "{kind}", "--caption-column", "about"), "leave --caption-column"),
        (("--caption-template", "{kind}", "--make-splits", "70/30"), "is not three shares"),
        (("--caption-template", "{kind}", "--make-splits", "1/1/1", "--group-by", "size"), "no column 'size' to group by"),
        (("--caption-template", "{kind}", "--split", "train"), "--make-splits 70/15/15 makes three"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_with_what_can(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    assert told in refused(*add(shop(tmp_path), *words)).replace("\n", " ")


def test_options_without_one_another_mean_nothing(tmp_path: Path) -> None:
    assert "--group-by goes with --make-splits" in misused(*add(shop(tmp_path), "--group-by", "text"))
    assert "--require COLUMN leaves out rows" in refused(
        "dataset", "add", "shop", "--captions", shop(tmp_path), "--images", tmp_path / "photos", "--caption-template", "{kind}"
    )  # fmt: skip


def test_json_lines_and_parquet_compose_and_keep_as_tables_do(tmp_path: Path) -> None:
    rows = [
        {
            "image": name,
            "kind": "Rug",
            "tags": ["red", "oak"],
            "price": 5.0 * n,
            "more": None if n else {"a": 1},
        }
        for n, name in enumerate(draw(tmp_path / "photos", 3))
    ]
    lines = tmp_path / "shop.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    good(*add(lines, "--caption-template", "{kind}, {tags}. {price}", "-q", name="lines"))
    assert [c.text for c in stored("lines").captions] == [f"Rug, red, oak. {5 * n}" for n in range(3)]
    columns = load_columns(open_store(locate()), stored("lines").key)
    assert columns is not None
    assert (columns.names, columns.cells[1]) == (("kind", "tags", "price"), ("Rug", "red, oak", "5"))
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    plain = [{name: row[name] for name in ("image", "kind", "price")} for row in rows]
    parquet.write_table(arrow.Table.from_pylist(plain), tmp_path / "shop.parquet")
    good(*add(tmp_path / "shop.parquet", "--caption-template", "{kind}. {price}", "-q", name="parquet"))
    assert [c.text for c in stored("parquet").captions] == ["Rug. 0", "Rug. 5", "Rug. 10"]


def test_splits_are_three_datasets_that_share_nothing(tmp_path: Path) -> None:
    words = (
        "--caption-template",
        "{kind}, {colour}. {about}. {price}",
        "--make-splits",
        "50/25/25",
        "--group-by",
        "text",
    )
    done = good(*add(shop(tmp_path), *words))
    assert done.out.count(": added: ") == 3
    assert "next: clipbench adapt train shop-train --val shop-val" in done.err
    parts = {split: stored(f"shop-{split}") for split in ("train", "val", "test")}
    assert {name: part.split for name, part in parts.items()} == {name: name for name in parts}
    assert sum(len(part.samples) for part in parts.values()) == 23
    for name, part in parts.items():
        rest = [other for label, other in parts.items() if label != name]
        assert not {s.digest for s in part.samples} & {s.digest for other in rest for s in other.samples}
        columns = load_columns(open_store(locate()), part.key)
        assert columns is not None
        assert len(columns.cells) == len(part.samples)
    refusal = refused(*add(shop(tmp_path), *words, "--seed", "5", "-q"))
    assert "means other content" in refusal


def test_the_drawn_catalogue_is_cut_without_shared_texts_or_photographs() -> None:
    words = (
        "dataset",
        "add",
        "drawn",
        "--format",
        "catalogue",
        "--make-splits",
        "60/20/20",
        "--group-by",
        "text",
        "-q",
    )
    good(*words)
    parts = [stored(f"drawn-{split}") for split in ("train", "val", "test")]
    assert [len(part.samples) for part in parts] == pytest.approx([360, 120, 120], abs=4)
    for number, part in enumerate(parts):
        others = [sample for other in parts[:number] for sample in other.samples]
        assert not {s.digest for s in part.samples} & {s.digest for s in others}
        assert not {folded(c.text) for c in part.captions} & {
            folded(c.text) for s in others for c in s.captions
        }
    assert "already stored with the same content" in good(*words).out
    assert "no other files belong to it" in refused(*words[:5], "--images", ".")
    assert "source records no splits" in refused(*words[:5], "--split", "train")


def test_queries_are_told_by_columns_and_by_what_is_missing(tmp_path: Path) -> None:
    good(*add(shop(tmp_path), "--caption-template", TEMPLATE, "-q"))
    good(
        "robustness", "sweep", "shop", "--model", "toy", "--perturb", "word-dropout", "--levels", "0.5", "-q"
    )
    rows = good("runs", "show", "latest:clean", "--by", "column:kind", "--json").json["rows"]
    counts = {(row["direction"], row["group"]): row["queries"] for row in rows if row["metric"] == "hit@1"}
    assert counts == {
        (direction, group): count
        for direction in ("t2i", "i2t")
        for group, count in (("all queries", 23), ("kind Chair", 8), ("kind Lamp", 8), ("kind Rug", 7))
    }
    shown = good("runs", "show", "latest:clean", "--by", "missing:colour").out
    assert "no colour" in shown
    assert "with colour" in shown
    compared = good("report", "--compare", "all:dataset=shop", "--by", "missing", "--json").json
    told = json.dumps(compared)
    assert all(name in told for name in ("no colour", "no about", "nothing missing"))
    assert "there is no column 'size'; there are sku, kind" in refused("runs", "show", "--by", "column:size")
    assert "one run is under one perturbation" in refused("runs", "show", "--by", "perturbation")


@pytest.mark.shared
def test_real_products_are_cut_as_they_should_be(shared: Path) -> None:
    file = shared / "data" / "products" / "products.csv"
    if not file.is_file():
        pytest.skip("the products are not in this copy")
    words = (
        "--caption-template",
        "{type}, {color}. {description}",
        "--make-splits",
        "70/15/15",
        "--group-by",
        "text",
    )
    good(
        "dataset", "add", "products", "--captions", file, "--require", "image", "--require", "description", *words, "-q"
    )  # fmt: skip
    parts = [stored(f"products-{split}") for split in ("train", "val", "test")]
    assert [len(part.samples) for part in parts] == pytest.approx([1_392, 299, 297], abs=4)
    texts = [{folded(c.text) for c in part.captions} for part in parts]
    assert sum(len(own) for own in texts) == len(set().union(*texts))


def test_columns_too_large_to_keep_are_left_out_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipbench.study.collecting import collect

    monkeypatch.setattr(collect, "LARGEST_COLUMNS", 100)
    done = good(*add(shop(tmp_path), "--caption-template", TEMPLATE))
    assert "the 5 other columns are not kept" in done.err
    assert load_columns(open_store(locate()), stored().key) is None
