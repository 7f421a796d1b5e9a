"""int8: exact sums of small integers, one scale for each token, and so another encoder that heeds no neighbours."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cli_toys import added, good, refused
from torch import nn

from clipbench.demo import model_folder
from clipbench.encoders import eight_bits, precision
from clipbench.encoders.batching import of_one_length
from clipbench.encoders.eight_bits import IntegerLinear, to_integers
from clipbench.encoders.loading import load
from clipbench.encoders.openclip import OpenClipEncoder
from clipbench.encoders.specification import parse
from clipbench.errors import EncoderError

TEXTS = (
    "a red ball left of a blue box",
    "snow",
    "two green cubes",
    "a cube",
    "a red ball right of a blue box",
)
ROUNDING = 1e-6


@pytest.fixture(scope="module")
def integers() -> OpenClipEncoder:
    encoder = load(parse(f"local-dir:{model_folder()}", precision="int8"))
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


@pytest.fixture(scope="module")
def pixels(integers: OpenClipEncoder) -> np.ndarray:
    shape = (6, *integers.preprocessing.size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_a_layer_sums_what_is_left_of_weights_and_inputs_exactly() -> None:
    weight, inputs = torch.zeros(64, 64), torch.zeros(2, 64)
    weight[0, :3] = torch.tensor([127.0, -64.0, 0.4])  # the scale of this output is 1: 127, -64, 0
    inputs[0, :3] = torch.tensor([2.54, 0.03, 1.0])  # the scale of this row is .02: 127, 2 (1.5 to even), 50
    layer = IntegerLinear(weight, torch.full((64,), 5.0))
    got = layer(inputs)
    assert got[0, 0].item() == pytest.approx(0.02 * (127 * 127 - 64 * 2) + 5, rel=1e-6)
    assert (got[1] == 5).all()
    assert (got[:, 1:] == 5).all()


def test_a_row_is_the_same_whatever_stands_beside_it() -> None:
    layer = IntegerLinear(torch.randn(96, 64, generator=torch.Generator().manual_seed(0)), None)
    rows = torch.randn(9, 64, generator=torch.Generator().manual_seed(1))
    loud = torch.cat([rows, 1000 * rows])
    assert torch.equal(layer(loud)[:9], layer(rows))
    assert torch.equal(torch.cat([layer(row[None]) for row in rows]), layer(rows))


def test_texts_hang_neither_on_their_order_nor_on_their_neighbours(integers: OpenClipEncoder) -> None:
    together = integers.encode_texts(TEXTS).vectors
    backwards = integers.encode_texts(TEXTS[::-1]).vectors[::-1]
    alone = np.concatenate([integers.encode_texts([text]).vectors for text in TEXTS])
    assert np.array_equal(together, backwards)
    assert np.abs(together - alone).max() < ROUNDING


def test_photographs_hang_not_on_their_neighbours(integers: OpenClipEncoder, pixels: np.ndarray) -> None:
    together = integers.encode_images(pixels)
    alone = np.concatenate([integers.encode_images(one[None]) for one in pixels])
    assert np.abs(together - alone).max() < ROUNDING


def test_it_is_another_encoder_close_to_fp32_and_says_so(integers: OpenClipEncoder) -> None:
    whole = load(parse(f"local-dir:{model_folder()}"))
    assert integers.identity.key != whole.identity.key
    assert integers.identity.weights == whole.identity.weights
    assert integers.identity.label == f"{whole.identity.label} (int8)"
    cosines = (integers.encode_texts(TEXTS).vectors * whole.encode_texts(TEXTS).vectors).sum(1)
    assert 0.999 < cosines.min() < 1 - 1e-7


def test_batches_of_one_length_hold_every_text_once() -> None:
    counts = np.array([5, 3, 5, 5, 4])
    batches = of_one_length(list("abcde"), counts, 2)
    assert [batch.tolist() for batch in batches] == [[3, 2], [0], [4], [1]]


def test_a_processor_that_cuts_sums_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: (a.float() @ b.float()).clamp(max=32767).int())
    with pytest.raises(EncoderError, match="does not sum 8-bit products exactly"):
        eight_bits.to_integers(nn.Sequential(nn.Linear(64, 64)))


def test_a_model_without_linear_layers_is_refused() -> None:
    with pytest.raises(EncoderError, match="no linear layer"):
        to_integers(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8, 8)))


def test_other_devices_are_refused() -> None:
    with pytest.raises(EncoderError, match="int8 runs on the CPU only"):
        parse("ViT-B-32", "openai", precision="int8", device="cuda")


def test_auto_means_the_cpu_and_a_slow_processor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert precision.resolve_device("auto", "int8") == "cpu"
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset({"avx2"}))
    assert "no int8 units" in precision.precision_notes("int8", "cpu")[0]


# From the command line

EVALUATE = ("evaluate", "toys", "--model", "demo", "-q")


def test_runs_of_both_precisions_stand_beside_one_another(tmp_path: Path) -> None:
    added(tmp_path)
    whole = good(*EVALUATE, "--tag", "whole", "--json").json
    coarse = good(*EVALUATE, "--precision", "int8", "--tag", "coarse", "--json").json
    again = good(*EVALUATE, "--precision", "int8", "--json").json
    assert coarse == again != whole
    assert {row["model"] for row in good("report", "--format", "csv").rows} == {"demo", "demo (int8)"}
    compared = good("report", "--compare", "whole", "coarse").out
    assert "toys: demo (int8) against demo\n" in compared
    assert good("store", "verify", "--deep").code == 0


def test_an_index_of_one_precision_is_asked_in_that_precision(tmp_path: Path) -> None:
    added(tmp_path)
    good(*EVALUATE[:-1], "--precision", "int8", "-q")
    good("index", "build", "toys", "--model", "demo", "--precision", "int8", "--type", "exact", "-q")
    assert "demo (int8)" in good("index", "list").out


def test_models_of_other_libraries_are_refused(tmp_path: Path) -> None:
    added(tmp_path)
    assert "not for hf: ones" in refused("evaluate", "toys", "--model", "hf:a/b", "--precision", "int8")


def test_doctor_tells_what_is_lost_and_stores_nothing(tmp_path: Path) -> None:
    added(tmp_path)
    before = good("store", "info", "--json").json
    told = good("doctor", "--parity", "toys").out
    assert "int8 against fp32: texts" in told
    assert "12 images and 24 captions of toys" in told
    assert "R@1" in told
    assert "bf16 against fp32: images" in good("doctor", "--parity", "toys", "--precision", "bf16").out
    assert good("store", "info", "--json").json == before
