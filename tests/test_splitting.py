"""Splits made by a hash of groups: whole groups, the same whatever the order of the rows, near the shares."""

from collections.abc import Sequence

import numpy as np
import pytest

from clipbench.datasets.rows import SplitPlan
from clipbench.datasets.splitting import parse_shares, split_positions
from clipbench.errors import DatasetError
from clipbench.metrics.positives import folded
from clipbench.records import Caption, Sample

PLAN = SplitPlan((70, 15, 15), group_by="text")


def samples(count: int, texts: int, photographs: int) -> list[Sample]:
    """Products of which several share a text or a photograph, neither of them alone."""
    draws = np.random.default_rng(7)
    return [
        Sample(
            f"p{n}",
            (Caption(f"p{n}#0", f"Text {draws.integers(texts)}."),),
            f"p{n}.png",
            f"digest {draws.integers(photographs)}",
        )
        for n in range(count)
    ]


def named(
    products: Sequence[Sample], plan: SplitPlan, cells: Sequence[Sequence[str]] = ()
) -> dict[str, set[str]]:
    columns = ("kind",) if cells else ()
    cut = split_positions(products, columns, cells, plan)
    return {split: {products[place].id for place in places} for split, places in cut.items()}


def test_the_order_of_the_rows_changes_nothing_and_the_seed_does() -> None:
    products = samples(300, 250, 280)
    shuffled = [products[place] for place in np.random.default_rng(1).permutation(len(products))]
    first = named(products, PLAN)
    assert named(shuffled, PLAN) == first
    assert set().union(*first.values()) == {product.id for product in products}
    other = named(products, SplitPlan((70, 15, 15), 1, "text"))
    assert other != first
    assert named(products, PLAN) == first


def test_equal_texts_and_photographs_stay_on_one_side_and_shares_are_near() -> None:
    products = samples(2_000, 5_000, 8_000)
    texts, photographs = {}, {}
    cut = split_positions(products, (), (), PLAN)
    assert [len(places) for places in cut.values()] == pytest.approx([1_400, 300, 300], abs=25)
    for split, places in cut.items():
        assert list(places) == sorted(places)
        for place in places:
            product = products[place]
            assert texts.setdefault(folded(product.captions[0].text), split) == split
            assert photographs.setdefault(product.digest, split) == split


def test_without_shared_texts_or_photographs_the_shares_are_met() -> None:
    products = samples(200, 1, 10**9)
    cut = split_positions(products, (), (), SplitPlan((70, 15, 15)))
    assert [len(places) for places in cut.values()] == [140, 30, 30]
    with pytest.raises(DatasetError, match="1 groups by text leave the split"):
        split_positions(products, (), (), PLAN)


def test_columns_group_and_an_empty_cell_shares_nothing() -> None:
    products = samples(90, 10**9, 10**9)
    cells = [[f"kind {n % 30}" if n < 60 else ""] for n in range(90)]
    for by in ("kind", "column:kind"):
        cut = named(products, SplitPlan((50, 0, 50), 3, by), cells)
        assert list(cut) == ["train", "test"]
        for n in range(30):
            assert len({split for split in cut if f"p{n}" in cut[split] or f"p{n + 30}" in cut[split]}) == 1
        assert len({split for split in cut for n in range(60, 90) if f"p{n}" in cut[split]}) == 2
    with pytest.raises(DatasetError, match="no column 'colour' to group by; there are kind"):
        named(products, SplitPlan((50, 0, 50), 3, "colour"), cells)


@pytest.mark.parametrize(
    "shares", ["70/15", "a/b/c", "0/50/50", "70/0/0", "70/-1/15", "nan/1/1", "1e400/1/1", ""]
)
def test_shares_that_mean_nothing_are_refused(shares: str) -> None:
    with pytest.raises(DatasetError):
        parse_shares(shares)
