"""Fine-tuning without a store: what learns and what does not, low ranks, the way between two models, and resuming."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

sys.path.insert(0, str(Path(__file__).parent))

from finetune_toys import CONFIGS, tiny

from clipbench.adapters.finetuning import FinetuneRecipe, Towers, TrainingPairs, finetune
from clipbench.adapters.interpolation import interpolated
from clipbench.adapters.low_rank import add_low_rank, merge_low_rank, plain_state
from clipbench.adapters.state_files import load_state, save_state
from clipbench.adapters.training import State
from clipbench.adapters.unfreezing import PARTS, unfreeze
from clipbench.errors import ClipbenchError

IMAGES = 10


def towers(model: Any) -> Towers:
    return Towers(
        model,
        lambda pixels: model.encode_image(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1),
        model.encode_text,
    )


def pairs() -> TrainingPairs:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    tokens = np.zeros((2 * IMAGES, 12), np.int64)
    tokens[:, 0], tokens[:, 1:5], tokens[:, 5] = 998, rng.integers(1, 998, (2 * IMAGES, 4)), 999
    return TrainingPairs(lambda rows: pixels[rows], tokens, np.repeat(np.arange(IMAGES), 2))


def hits(model: Any) -> dict[str, float]:
    both, data = towers(model), pairs()
    with torch.inference_mode():
        images = normalize(both.images(torch.from_numpy(data.pixels(np.arange(IMAGES)))), dim=1)
        texts = normalize(both.texts(torch.from_numpy(data.tokens)), dim=1)
    scores = (texts @ images.T).numpy()
    right = scores[np.arange(2 * IMAGES), data.owners]
    return {"rsum": 100 * float((right[:, None] >= scores).mean())}


def tuned(kind: str, state: State | None = None, **recipe: Any) -> tuple[Any, State, list[State]]:
    model, states = tiny(kind), []
    last = finetune(
        FinetuneRecipe(**{"batch": 4, "epochs": 3, "rate": 1e-2, **recipe}),
        towers(model),
        pairs(),
        lambda: hits(model),
        states.append,
        state=state,
    )
    return model, last, states


def changed(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", CONFIGS)
def test_nothing_changes_outside_what_learns(kind: str, part: Any) -> None:
    if part == "bn-stats" and kind in {"vit", "custom"}:
        with pytest.raises(ClipbenchError, match="no BatchNorm"):
            tuned(kind, part=part)
        return
    before = plain_state(tiny(kind))
    scope = unfreeze(tiny(kind), part, rank=2).scope
    model, last, _ = tuned(kind, part=part, rank=2)
    moved = changed(before, plain_state(model))
    assert moved
    assert moved <= scope
    assert last.best.keys() <= scope
    if part in {"projection", "last-block", "lora"}:
        sides = {name.startswith("visual.") for name in scope if not name.startswith("logit")}
        assert sides == ({False} if part == "lora" and kind == "timm" else {True, False})


def test_parts_are_what_they_are_called() -> None:
    def names(kind: str, part: Any) -> set[str]:
        return {n for n in unfreeze(tiny(kind), part, rank=2).scope if not n.startswith("logit")}

    assert names("vit", "projection") == {"visual.proj", "text_projection"}
    assert names("resnet", "projection") == {
        "visual.attnpool.c_proj.weight",
        "visual.attnpool.c_proj.bias",
        "text_projection",
    }
    assert names("timm", "projection") == {"visual.head.proj.weight", "text.text_projection"}
    assert all(".ln_" in n or "ln_" in n for n in names("vit", "norm"))
    last = names("vit", "last-block")
    assert {"visual.proj", "visual.ln_post.weight", "ln_final.bias", "text_projection"} <= last
    assert {n.split("resblocks.")[1][0] for n in last if "resblocks." in n} == {"1"}
    assert names("resnet", "bn-stats") == {
        n for n in tiny("resnet").state_dict() if "running" in n or "tracked" in n
    }
    assert names("vit", "full") == {n for n, _ in tiny("vit").named_parameters()} - {"logit_scale"}


@pytest.mark.parametrize("kind", ["vit", "resnet", "custom"])
def test_a_low_rank_is_exact_at_the_start_and_equal_when_merged(kind: str) -> None:
    plain, model, data = tiny(kind), tiny(kind), pairs()
    learned = add_low_rank(model, 2, seed=0)
    pixels, tokens = torch.from_numpy(data.pixels(np.arange(IMAGES))), torch.from_numpy(data.tokens)

    def vectors(one: Any) -> list[torch.Tensor]:
        with torch.no_grad():
            return [towers(one).images(pixels), towers(one).texts(tokens)]

    assert all(map(torch.equal, vectors(model), vectors(plain)))
    assert not changed(plain_state(plain), plain_state(model))
    with torch.no_grad():
        for value in learned:
            value.add_(torch.randn_like(value) * 0.1)
    before = vectors(model)
    assert not any(map(torch.equal, before, vectors(plain)))
    state = plain_state(model)
    merge_low_rank(model)
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert all(map(torch.equal, vectors(model), before))
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_the_ends_of_the_way_between_two_models_are_the_models() -> None:
    base, other = tiny("resnet").state_dict(), tiny("resnet", seed=1).state_dict()
    assert not changed(base, interpolated(base, other, 0))
    assert not changed(other, interpolated(base, other, 1))
    half = interpolated(base, other, 0.5)
    torch.testing.assert_close(
        half["visual.conv1.weight"], (base["visual.conv1.weight"] + other["visual.conv1.weight"]) / 2
    )
    with pytest.raises(ClipbenchError, match=r"0\.\.1"):
        interpolated(base, other, 1.5)
    with pytest.raises(ClipbenchError, match="two architectures"):
        interpolated(base, tiny("vit").state_dict(), 0.5)


def test_training_fits_what_it_sees() -> None:
    _, last, _ = tuned("vit", part="full", epochs=15, rate=5e-3)
    assert last.best_epoch.scores["rsum"] > last.log[0].scores["rsum"] + 20
    assert last.log[-1].loss < last.log[1].loss / 2


@pytest.mark.parametrize(
    ("kind", "recipe"),
    [
        ("vit", {"part": "full"}),
        ("resnet", {"part": "norm"}),
        ("vit", {"part": "lora", "rank": 2}),
        ("resnet", {"part": "bn-stats"}),
        ("custom", {"part": "lora", "rank": 2, "probe": True}),
        ("resnet", {"part": "norm", "probe": True}),
    ],
)
def test_a_stopped_fine_tuning_goes_on_to_the_same_weights(
    kind: str, recipe: dict[str, Any], tmp_path: Path
) -> None:
    model, whole, states = tuned(kind, **recipe)
    assert len(states) == (7 if recipe.get("probe") else 4)
    for halfway in states[:-1]:
        save_state(halfway, tmp_path / "state")
        again, resumed, rest = tuned(kind, load_state(tmp_path / "state"), **recipe)
        assert len(rest) == len(states) - len(halfway.log)
        assert resumed.log == whole.log
        assert not changed(plain_state(model), plain_state(again))
        assert resumed.best.keys() == whole.best.keys()
        assert all(torch.equal(whole.best[name], resumed.best[name]) for name in whole.best)


def test_the_best_epoch_is_what_is_kept() -> None:
    model, values, kept = tiny("vit"), iter([1.0, 5.0, 3.0, 5.0]), []

    def finish(_state: State) -> None:
        kept.append(plain_state(model))

    last = finetune(
        FinetuneRecipe(part="norm", epochs=3, batch=4),
        towers(model),
        pairs(),
        lambda: {"rsum": next(values)},
        finish,
    )
    assert last.best_epoch.number == 1
    assert all(torch.equal(kept[1][name], value) for name, value in last.best.items())
    none = finetune(
        FinetuneRecipe(epochs=2, batch=4),
        towers(tiny("vit")),
        pairs(),
        iter([{"rsum": 3.0}, {"rsum": 2.0}, {"rsum": 1.0}]).__next__,
        lambda _: None,
    )
    assert (none.best_epoch.number, none.best) == (0, {})


def test_the_second_phase_starts_from_the_best_of_the_first() -> None:
    model, values = tiny("vit"), iter([9.0, 1.0, 1.0, 1.0, 1.0])
    starts = []

    def finished(state: State) -> None:
        if len(state.log) == 4:
            starts.append(plain_state(model))

    recipe = FinetuneRecipe(part="norm", epochs=2, batch=4, probe=True)
    finetune(recipe, towers(model), pairs(), lambda: {"rsum": next(values)}, finished)
    # No change was best of the first phase, so the projections are those of the model that came in.
    assert not {n for n in changed(plain_state(tiny("vit")), starts[0]) if "proj" in n and "attn" not in n}


def test_patience_stops_early() -> None:
    last = finetune(
        FinetuneRecipe(epochs=50, batch=4, patience=2),
        towers(tiny("vit")),
        pairs(),
        lambda: {"rsum": 1.0},
        lambda _: None,
    )
    assert len(last.log) == 3


def test_a_model_with_a_bias_learns_by_pairs() -> None:
    assert towers(tiny("custom")).loss == "sigmoid"
    assert towers(tiny("vit")).loss == "infonce"


def test_what_means_nothing_is_refused() -> None:
    for wrong in (
        {"part": "head"},
        {"batch": 1},
        {"rate": float("nan")},
        {"decay": -1.0},
        {"part": "projection", "probe": True},
    ):
        with pytest.raises(ClipbenchError):
            FinetuneRecipe(**wrong)
    with pytest.raises(ClipbenchError, match="no low rank"):
        add_low_rank(tiny("vit"), 16, 0)
    with pytest.raises(ClipbenchError, match="no longer a number"):
        tuned("vit", part="full", rate=1e30)
