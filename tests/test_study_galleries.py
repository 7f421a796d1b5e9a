"""What is ranked: images with a vector and a caption, at the rows where the embedding sets hold them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.errors import DatasetError
from clipbench.records import Caption, Dataset, Sample
from clipbench.study.galleries import gallery_of


def dataset(captions: list[int]) -> Dataset:
    samples = tuple(
        Sample(f"i{i}", tuple(Caption(f"i{i}#{j}", f"text {i} {j}") for j in range(count)))
        for i, count in enumerate(captions)
    )
    return Dataset("toys", "csv", "all", "all", samples)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_rows_lead_to_the_vectors_of_what_is_ranked(images: list[tuple[int, bool]]) -> None:
    whole = dataset([count for count, _ in images])
    unusable = {f"i{i}": "missing" for i, (_, usable) in enumerate(images) if not usable}
    # An image set has a row for every usable image, a text set one for every caption.
    image_set = [sample.id for sample in whole.samples if sample.id not in unusable]
    text_set = [caption.id for caption in whole.captions]
    ranked = [f"i{i}" for i, (count, usable) in enumerate(images) if usable and count]
    if not ranked:
        with pytest.raises(DatasetError, match="no image with both a vector and a caption"):
            gallery_of(whole, unusable)
        return
    found = gallery_of(whole, unusable)
    assert [sample.id for sample in found.samples] == ranked
    assert [image_set[row] for row in found.image_rows] == ranked
    assert [text_set[row] for row in found.caption_rows] == [caption.id for caption in found.captions]
    assert [found.samples[owner].id for owner in found.owners] == [
        caption.id.partition("#")[0] for caption in found.captions
    ]
    assert sorted([*ranked, *found.left_out]) == sorted(sample.id for sample in whole.samples)


def test_a_gallery_of_everything_is_the_dataset() -> None:
    whole = dataset([2, 1, 3])
    found = gallery_of(whole, {})
    assert found.captions == whole.captions
    assert np.array_equal(found.owners, whole.owners)
    assert found.left_out == ()
