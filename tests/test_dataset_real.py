"""The real files: numbers that a reader of Flickr8k and COCO must find in them."""

from pathlib import Path

import pytest

from clipbench.datasets.flickr8k import parse_tokens
from clipbench.datasets.lint import failed, lint
from clipbench.datasets.reading import read
from clipbench.datasets.rows import ReadRequest
from clipbench.records import Dataset

pytestmark = pytest.mark.shared

FLICKR = Path("data") / "flickr8k"


def flickr8k(shared: Path, **options: object) -> Dataset:
    path = shared / FLICKR / "Flickr8k.token.txt"
    return read(ReadRequest(captions=path, **options)).dataset  # type: ignore[arg-type]  # test shorthand


def test_the_token_file_holds_a_bogus_name(shared: Path) -> None:
    parsed = parse_tokens(shared / FLICKR / "Flickr8k.token.txt")
    assert (len(parsed.rows), parsed.problems, parsed.notes) == (40_460, (), ())
    assert len({row.image for row in parsed.rows}) == 8_092
    whole = flickr8k(shared, captions_only=True)
    assert (len(whole.samples), len(whole.captions)) == (8_091, 40_455)


@pytest.mark.parametrize(("split", "images"), [("test", 1000), ("dev", 1000)])
def test_official_splits_are_complete(shared: Path, split: str, images: int) -> None:
    dataset = flickr8k(shared, split=split)
    names = (shared / FLICKR / f"Flickr_8k.{split}Images.txt").read_text().split()
    assert [s.id for s in dataset.samples] == names
    assert (len(dataset.samples), len(dataset.captions)) == (images, 5 * images)
    assert all(s.digest and not s.problem for s in dataset.samples)


def test_the_source_studies_split(shared: Path) -> None:
    dataset = flickr8k(shared, split_file=shared / FLICKR / "splits-70-15-15" / "test.txt")
    assert (dataset.split, len(dataset.samples), len(dataset.captions)) == ("test", 1215, 6075)


def test_lint_of_the_official_test_split(shared: Path) -> None:
    test = flickr8k(shared, split="test")
    train = flickr8k(shared, split="train", captions_only=True)
    found = {f.kind: f for f in lint(test, [train])}
    assert found["leaked-caption"].count == 51
    assert "48 letter for letter" in found["leaked-caption"].message
    assert failed(tuple(found.values())) == ()


def test_the_two_photographs_that_are_the_same_file(shared: Path) -> None:
    names = ("2851198725_37b6027625.jpg", "3050606344_af711c726c.jpg")
    if not all((shared / FLICKR / "Images" / name).is_file() for name in names):
        pytest.skip("the two photographs are not in this copy")
    (found,) = [
        f for f in lint(flickr8k(shared, split="train", allow_missing=1)) if f.kind == "duplicate-image"
    ]
    assert any(set(names) == set(example.split(" = ")) for example in found.examples)


def test_the_frozen_coco_captions_keep_every_space(shared: Path) -> None:
    dataset = read(ReadRequest(captions=shared / "data" / "coco2017-val" / "captions_5000.json")).dataset
    texts = [c.text for c in dataset.captions]
    assert (len(dataset.samples), len(texts), dataset.format) == (5000, 25_000, "coco-frozen")
    assert sum("\n" in text for text in texts) == 83
    found = {f.kind: f for f in lint(dataset)}
    assert found["edge-whitespace"].count == 3539  # 53 of them lead, 3,499 trail
    assert found["duplicate-caption-across"].count == 321
    assert found["duplicate-caption-across"].detail.startswith("119 texts")
