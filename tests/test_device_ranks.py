"""Counting on a torch device gives the processor's ledgers to the bit; here the device is torch's own processor."""

from typing import Any

import pytest
from test_ranks import KINDS, assert_same, larger_problem

from clipbench.metrics import device_blocks
from clipbench.metrics.device_blocks import LARGE, SMALL, counting_device
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank, rank_on_device


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("area", [1 << 20, 700])
def test_a_device_gives_the_same_ledgers(kind: str, area: int) -> None:
    images, texts, owners = larger_problem(kind)
    positives = own(owners, len(images))
    heard: list[str] = []
    mine = rank_on_device(images, texts, positives, owners, "cpu", heard=heard.append, area=area)
    assert_same(rank(images, texts, positives, owners), mine)
    assert bool(heard) == (
        kind != "random" and area > len(images) * len(texts)
    )  # many near-ties are left for the processor


def test_one_direction_with_positives_of_its_own() -> None:
    images, texts, owners = larger_problem("random")
    positives = {"t2i": own(owners, len(images))["t2i"]}
    assert_same(
        rank(images, texts, positives, owners),
        rank_on_device(images, texts, positives, owners, "cpu", area=1 << 10),
    )


@pytest.mark.parametrize("device", ["cuda:63", "nonsense"])
def test_without_the_device_the_processor_counts(device: str) -> None:
    images, texts, owners = larger_problem("random")
    positives = own(owners, len(images))
    heard: list[str] = []
    assert_same(
        rank(images, texts, positives, owners),
        rank_on_device(images, texts, positives, owners, device, heard=heard.append),
    )
    assert len(heard) == 1
    assert heard[0].startswith(f"counted on the processor, not on {device}: ")


def test_blocks_that_do_not_fit_the_memory_are_halved_then_counted_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, texts, owners = larger_problem("random")
    positives = own(owners, len(images))
    usual = rank(images, texts, positives, owners)
    scan = device_blocks._Device.scan
    for room in (6000, 0):

        def crowded(self: Any, block: Any, *rest: Any, room: int = room) -> Any:
            rows, columns = block
            if (rows.stop - rows.start) * (columns.stop - columns.start) > room:
                raise RuntimeError("device out of memory")
            return scan(self, block, *rest)

        monkeypatch.setattr(device_blocks._Device, "scan", crowded)
        monkeypatch.setattr(device_blocks, "LEAST", 1000)
        heard: list[str] = []
        assert_same(usual, rank_on_device(images, texts, positives, owners, "cpu", heard=heard.append))
        assert bool(heard) == (room == 0)


def test_a_product_of_less_than_float32_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    images, texts, owners = larger_problem("random")
    positives = own(owners, len(images))
    usual = rank(images, texts, positives, owners)
    exact = torch.Tensor.__matmul__
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: exact(a.bfloat16(), b.bfloat16()).float())
    heard: list[str] = []
    assert_same(usual, rank_on_device(images, texts, positives, owners, "cpu", heard=heard.append))
    assert "the matrix product is off by" in heard[0]


def test_the_precision_of_products_is_given_back() -> None:
    import torch

    before = torch.get_float32_matmul_precision()
    images, texts, owners = larger_problem("random")
    rank_on_device(images, texts, own(owners, len(images)), owners, "cpu")
    assert torch.get_float32_matmul_precision() == before


def test_a_device_is_asked_only_where_it_pays() -> None:
    assert counting_device("cpu", LARGE) is None
    assert counting_device("cuda", SMALL / 2) is None
    assert counting_device("cuda", SMALL) == "cuda"
    assert counting_device(None, LARGE / 2) is None
