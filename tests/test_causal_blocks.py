"""A tower that shares beginnings gives open_clip's own vectors, whatever its blocks are made of, or is left alone."""

from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP
from torch.nn.functional import normalize

from clipbench.encoders import prefix_tree
from clipbench.encoders.batching import heard
from clipbench.encoders.causal_blocks import WIDE, Layers, Linear, Rows, onednn_layers, torch_layers, ways
from clipbench.encoders.eight_bits import to_integers
from clipbench.encoders.prefix_tree import features, sharing
from clipbench.encoders.text_trimming import CausalTower, causal_tower

START, END = 57, 59
WAYS = (onednn_layers, torch_layers)


def model_of(*, custom: bool = False, quick: bool = False, **text: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = (CustomTextCLIP if custom else CLIP)(
            embed_dim=16,
            vision_cfg={"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
            text_cfg={"context_length": 20, "vocab_size": 60, "width": 64, "heads": 4, "layers": 3, **text},
            quick_gelu=quick,
        )
        # A fresh model has no biases, and so hides where one is forgotten.
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.data.add_(torch.randn(len(parameter)) / 10)
    return model.eval().requires_grad_(requires_grad=False)


def tower_of(model: Any) -> CausalTower:
    tower = causal_tower(model)
    assert tower is not None
    return tower


def token_ids(count: int = 150) -> torch.Tensor:
    draws = np.random.default_rng(0)
    tokens = np.zeros((count, 20), dtype=np.int64)
    for row in tokens:
        length = draws.integers(0, 18)
        row[: length + 2] = [START, *draws.integers(1, 5, length), END]  # the highest number ends a text
    return torch.from_numpy(tokens)


def away(left: torch.Tensor, right: torch.Tensor) -> float:
    return float((normalize(left.float(), dim=-1) - normalize(right.float(), dim=-1)).abs().max())


@pytest.mark.parametrize("layers", WAYS, ids=["onednn", "torch"])
@pytest.mark.parametrize(
    "text",
    [
        {},
        {"quick": True},
        {"custom": True, "act_kwargs": {"approximate": "tanh"}},
        {"custom": True, "ls_init_value": 0.3},
        {"custom": True, "pool_type": "eos", "eos_id": END},
        {"custom": True, "proj_bias": True, "layers": 1},
        {"custom": True, "mlp_ratio": 2.5, "heads": 1},
    ],
    ids=str,
)
def test_shared_beginnings_have_open_clips_vectors(text: dict[str, Any], layers: Layers) -> None:
    model, ids = model_of(**text), token_ids()
    tower = tower_of(model)
    with torch.inference_mode():
        own = model.encode_text(ids)
        assert sharing(tower, ids[:8], "fp32") is torch_layers
        for nodes in (30, 100, 1024):
            assert away(features(tower, ids, layers, nodes), own) <= 2e-6


def test_in_sixteen_bits_they_differ_by_its_rounding() -> None:
    model, ids = model_of().bfloat16(), token_ids(40)
    with torch.inference_mode():
        assert sharing(tower_of(model), ids[:8], "bf16") is torch_layers
        assert away(features(tower_of(model), ids), model.encode_text(ids)) <= 2e-2


@pytest.mark.parametrize("text", [{"qk_norm": True}, {"scale_heads": True}, {"scale_attn": True}], ids=str)
def test_blocks_of_another_kind_are_left_alone(text: dict[str, Any]) -> None:
    assert sharing(tower_of(model_of(custom=True, **text)), token_ids(8), "fp32") is None


def test_blocks_in_integers_are_left_alone() -> None:
    model = model_of()
    to_integers(model)
    assert sharing(tower_of(model), token_ids(8), "fp32") is None


def test_changed_weights_count_at_once() -> None:
    model, ids = model_of(), token_ids(20)
    tower = tower_of(model)
    with torch.inference_mode():
        before = features(tower, ids, onednn_layers)
        model.transformer.resblocks[1].mlp.c_fc.weight.mul_(3)
        model.transformer.resblocks[2].attn.in_proj_weight.mul_(2)
        assert away(features(tower, ids, onednn_layers), before) > 1e-3
        assert away(features(tower, ids, onednn_layers), model.encode_text(ids)) <= 2e-6


def wrong(layer: Linear, activation: torch.nn.Module | None = None) -> Rows:
    made = torch_layers(layer, activation)
    return lambda rows: 1.001 * made(rows)


def lost(layer: Linear, _: torch.nn.Module | None = None) -> Rows:
    return lambda rows: torch.ops.aten.mm(rows, layer.weight)  # shapes that do not fit: RuntimeError


@pytest.mark.parametrize("bad", [wrong, lost])
def test_a_way_that_gives_other_vectors_or_none_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, bad: Layers
) -> None:
    tower, ids = tower_of(model_of()), token_ids(8)
    monkeypatch.setattr(prefix_tree, "ways", lambda *_: (bad, torch_layers))
    assert sharing(tower, ids, "fp32") is torch_layers
    monkeypatch.setattr(prefix_tree, "ways", lambda *_: (bad,))
    assert sharing(tower, ids, "fp32") is None


def test_the_last_block_goes_on_with_what_is_pooled_alone() -> None:
    tower, rows = tower_of(model_of()), []

    def counted(layer: Linear, activation: torch.nn.Module | None = None) -> Rows:
        made = torch_layers(layer, activation)

        def count(inputs: torch.Tensor) -> torch.Tensor:
            if activation is not None:
                rows.append(len(inputs))
            return made(inputs)

        return count

    ids = torch.zeros(3, 20, dtype=torch.int64)
    for row, text in zip(ids, ([1, 2, 3], [1, 2, 4], [1, 2]), strict=True):
        row[: len(text) + 2] = torch.tensor([START, *text, END])
    with torch.inference_mode():
        features(tower, ids, counted)
    assert rows == [8, 8, 3]  # start, 1, 2, its end, 3 and 4 with their ends; three texts


def test_narrow_towers_go_without_onednn() -> None:
    assert ways(torch.float32, "cpu", WIDE - 1) == (torch_layers,)
    assert ways(torch.float32, "cpu", WIDE) == WAYS
    assert ways(torch.float32, "cuda", WIDE) == ways(torch.bfloat16, "cpu", WIDE) == (torch_layers,)
    with torch.inference_mode():
        assert sharing(tower_of(model_of(width=WIDE)), token_ids(8), "fp32") is onednn_layers


def test_whoever_waits_hears_of_every_text_once() -> None:
    told: list[int] = []
    with torch.inference_mode(), heard(told.append):
        features(tower_of(model_of()), token_ids(), nodes=100)
    assert sum(told) == 150
    assert len(told) > 3


def test_the_order_of_the_texts_changes_no_bit() -> None:
    tower, ids = tower_of(model_of()), token_ids()
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        for layers in WAYS:
            assert torch.equal(features(tower, ids[order], layers), features(tower, ids, layers)[order])
