"""What is ranked: images with a vector and a caption, at the rows where the embedding sets hold them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.errors import DatasetError
from clipbench.keys import Json
from clipbench.records import Caption, Dataset, Sample
from clipbench.study.evaluation.evaluate import ranked as ranked_ledgers
from clipbench.study.evaluation.galleries import gallery_of, gallery_words
from clipbench.study.evaluation.protocol import Protocol, metrics_of


def dataset(captions: list[int]) -> Dataset:
    samples = tuple(
        Sample(f"i{i}", tuple(Caption(f"i{i}#{j}", f"text {i} {j}") for j in range(count)))
        for i, count in enumerate(captions)
    )
    return Dataset("toys", "csv", "all", "all", samples)


OLD: dict[str, Json] = {}
NEW: dict[str, Json] = {"uncaptioned": "distractors"}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12),
    st.sampled_from([OLD, NEW]),
)
def test_rows_lead_to_the_vectors_of_what_is_ranked(
    images: list[tuple[int, bool]], protocol: dict[str, Json]
) -> None:
    whole = dataset([count for count, _ in images])
    unusable = {f"i{i}": "missing" for i, (_, usable) in enumerate(images) if not usable}
    # An image set has a row for every usable image, a text set one for every caption.
    image_set = [sample.id for sample in whole.samples if sample.id not in unusable]
    text_set = [caption.id for caption in whole.captions]
    ranked = [f"i{i}" for i, (count, usable) in enumerate(images) if usable and count]
    if not ranked:
        with pytest.raises(DatasetError, match="no image with both a vector and a caption"):
            gallery_of(whole, unusable, protocol)
        return
    found = gallery_of(whole, unusable, protocol)
    bare = [f"i{i}" for i, (count, usable) in enumerate(images) if usable and not count and protocol == NEW]
    assert [sample.id for sample in found.samples] == ranked
    assert [sample.id for sample in found.distractors] == bare
    assert [image_set[row] for row in found.image_rows] == ranked + bare
    assert [sample.id for sample in found.images] == ranked + bare
    assert [text_set[row] for row in found.caption_rows] == [caption.id for caption in found.captions]
    assert [found.samples[owner].id for owner in found.owners] == [
        caption.id.partition("#")[0] for caption in found.captions
    ]
    assert sorted([*ranked, *bare, *found.left_out]) == sorted(sample.id for sample in whole.samples)


def test_a_gallery_of_everything_is_the_dataset() -> None:
    whole = dataset([2, 1, 3])
    found = gallery_of(whole, {})
    assert found.captions == whole.captions
    assert np.array_equal(found.owners, whole.owners)
    assert found.left_out == ()


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(st.lists(st.integers(0, 2), min_size=2, max_size=9), st.integers(0, 99))
def test_an_image_without_captions_is_in_the_way_of_captions_and_asks_for_nothing(
    counts: list[int], seed: int
) -> None:
    if not any(counts):
        return
    whole = dataset(counts)
    gallery = gallery_of(whole, {}, gallery_words(whole))
    random = np.random.default_rng(seed)
    images, texts = unit(random.normal(size=(len(counts), 8))), unit(random.normal(size=(sum(counts), 8)))
    ledgers = ranked_ledgers(images[gallery.image_rows], texts[gallery.caption_rows], gallery, Protocol())
    t2i, i2t = ledgers["t2i"], ledgers["i2t"]
    scores = texts @ images.T
    captioned = [place for place, count in enumerate(counts) if count]
    assert (t2i.gallery_size, t2i.queries) == (len(counts), sum(counts))
    assert (i2t.gallery_size, i2t.queries) == (sum(counts), len(captioned))
    for query, owner in enumerate(whole.owners):
        assert t2i.above[query] == (scores[query] > scores[query, owner]).sum()
        assert gallery.images[t2i.top1[query]].id == whole.samples[scores[query].argmax()].id
        assert captioned[t2i.cluster[query]] == owner
    assert i2t.cluster.tolist() == list(range(len(captioned)))
    assert [i2t.top1[q] for q in range(i2t.queries)] == [scores[:, place].argmax() for place in captioned]
    numbers = {(m.direction, m.name): m.value for m in metrics_of(ledgers, Protocol(resamples=100))}
    assert numbers["t2i", "gallery"] == len(counts)
    assert np.isclose(numbers["t2i", "chance-hit@1"], 1 / len(counts))


def test_only_a_dataset_with_images_without_captions_says_so_in_its_runs() -> None:
    assert gallery_words(dataset([1, 2])) == {}
    assert gallery_words(dataset([1, 0])) == NEW
