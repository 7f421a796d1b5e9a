"""Training of adapters: it learns, it is the same twice, it goes on where it stopped, and it can say no."""

import numpy as np
import pytest
import torch

from clipbench.adapters.batches import cut, epoch_order, mined_order
from clipbench.adapters.heads import HEADS, HeadOptions
from clipbench.adapters.losses import LOSSES
from clipbench.adapters.training import (
    Adapter,
    Recipe,
    State,
    TrainingVectors,
    best_adapter,
    new_adapter,
    train,
)
from clipbench.errors import ClipbenchError


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def world(images: int = 40, captions: int = 3, width: int = 16, seed: int = 0) -> TrainingVectors:
    """Captions lie near a rotation of their image: a linear head can undo it, no change cannot."""
    rng = np.random.default_rng(seed)
    pictures = unit(rng.normal(size=(images, width)))
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    owners = np.repeat(np.arange(images), captions)
    texts = unit(pictures[owners] @ rotation + 0.05 * rng.normal(size=(len(owners), width)))
    return TrainingVectors(lambda _: texts, pictures, owners)


def hits(data: TrainingVectors):
    def validate(adapter: Adapter) -> dict[str, float]:
        scores = adapter.apply_to(data.texts(0), "text") @ adapter.apply_to(data.images, "image").T
        return {"rsum": 100 * float((scores.argmax(axis=1) == data.owners).mean())}

    return validate


def run(recipe: Recipe, state: State | None = None) -> tuple[State, list[State]]:
    data, states = world(), []
    last = train(recipe, data, hits(data), states.append, state)
    return last, states


@pytest.mark.parametrize("head", ["linear", "residual", "low-rank", "mlp", "clip-adapter", "two-tower"])
def test_a_head_learns_what_no_change_cannot_do(head: str) -> None:
    recipe = Recipe(
        head=head, epochs=30, batch=30, rate=1e-2, options=HeadOptions(alpha=0.8, rank=16, hidden=64)
    )
    last, _ = run(recipe)
    assert last.log[0].scores["rsum"] < 30
    assert last.best_epoch.scores["rsum"] > 60


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_loss_trains(loss: str) -> None:
    last, _ = run(Recipe(head="linear", loss=loss, epochs=15, batch=30, rate=1e-2))
    assert last.best_epoch.scores["rsum"] > last.log[0].scores["rsum"] + 15


def test_the_same_seed_gives_the_same_weights_to_the_bit() -> None:
    recipe = Recipe(head="two-tower", epochs=3, batch=30)
    one, two, other = (
        run(r)[0] for r in (recipe, recipe, Recipe(head="two-tower", epochs=3, batch=30, seed=1))
    )
    assert all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)
    assert any(not torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


@pytest.mark.parametrize("mine_every", [None, 2])
def test_a_stopped_training_goes_on_to_the_same_weights(mine_every: int | None) -> None:
    recipe = Recipe(head="two-tower", epochs=5, batch=30, mine_every=mine_every)
    whole, states = run(recipe)
    for halfway in (states[0], states[2]):
        resumed, rest = run(recipe, halfway)
        assert [s.log[-1].number for s in rest] == list(range(halfway.log[-1].number + 1, 6))
        assert resumed.log == whole.log
        assert all(torch.equal(whole.tensors[name], resumed.tensors[name]) for name in whole.tensors)
        assert all(torch.equal(whole.best[name], resumed.best[name]) for name in whole.best)


def test_no_change_is_chosen_where_training_only_hurts() -> None:
    data = world()
    scores = iter(range(100, 0, -1))
    recipe = Recipe(head="linear", epochs=4, batch=30)
    last = train(recipe, data, lambda _: {"rsum": float(next(scores))}, lambda _: None)
    assert last.best_epoch.number == 0
    adapter = best_adapter(recipe, 16, last)
    np.testing.assert_allclose(adapter.apply_to(data.images, "image"), data.images, atol=1e-6)


def test_the_best_weights_are_those_of_the_best_epoch() -> None:
    data, seen = world(), {}
    values = iter([1.0, 5.0, 3.0, 5.0])
    recipe = Recipe(head="linear", epochs=3, batch=30)

    def finished(state: State) -> None:
        seen[state.log[-1].number] = {k: v for k, v in state.tensors.items() if k.startswith("adapter.")}

    last = train(recipe, data, lambda _: {"rsum": next(values)}, finished)
    assert last.best_epoch.number == 1
    assert all(torch.equal(last.best[k.removeprefix("adapter.")], v) for k, v in seen[1].items())


def test_patience_stops_early() -> None:
    data = world()
    last = train(
        Recipe(head="linear", epochs=50, batch=30, patience=2), data, lambda _: {"rsum": 1.0}, lambda _: None
    )
    assert len(last.log) == 3


def test_a_head_on_one_side_leaves_the_other_as_it_is() -> None:
    data = world()
    last = train(Recipe(side="text", epochs=2, batch=30), data, hits(data), lambda _: None)
    adapter = best_adapter(Recipe(side="text", epochs=2, batch=30), 16, last)
    np.testing.assert_allclose(adapter.apply_to(data.images, "image"), data.images, atol=1e-6)
    with pytest.raises(ClipbenchError, match="both sides"):
        new_adapter(Recipe(head="two-tower", side="text"), 16)


def test_an_identity_trains_nothing_but_the_temperature() -> None:
    last, _ = run(Recipe(head="identity", epochs=2, batch=30))
    assert not last.best
    assert last.log[2].scale != last.log[0].scale
    fixed, _ = run(Recipe(head="identity", epochs=2, batch=30, learn_scale=False))
    assert fixed.log[2].scale == pytest.approx(1 / 0.07)


def test_the_scale_is_held_to_its_clamp() -> None:
    last, _ = run(Recipe(head="linear", epochs=5, batch=30, rate=0.5, clamp=20))
    assert max(epoch.scale for epoch in last.log) <= 20.0001


@pytest.mark.parametrize("head", sorted(HEADS))
def test_applying_does_not_depend_on_how_many_rows_go_at_once(head: str) -> None:
    adapter = new_adapter(Recipe(head=head), 16)
    vectors = world().images
    whole = adapter.apply_to(vectors, "image")
    np.testing.assert_allclose(adapter.apply_to(vectors, "image", rows=7), whole, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)


def test_every_order_shows_every_caption_once() -> None:
    owners, draws = np.repeat(np.arange(9), 4), np.random.default_rng(0)
    hardest = np.stack([(owners + 1) % 9, (owners + 4) % 9], axis=1)
    orders = [epoch_order(owners, o, draws) for o in ("shuffled", "grouped", "file")]
    for order in [*orders, mined_order(owners, hardest, draws)]:
        assert sorted(order.tolist()) == list(range(36))
    grouped = owners[orders[1]]
    assert (np.diff(grouped) != 0).sum() == 8
    assert (orders[2] == np.arange(36)).all()


def test_mining_puts_a_hard_negative_behind_its_caption() -> None:
    owners = np.arange(6)
    order = mined_order(owners, ((owners + 3) % 6)[:, None], np.random.default_rng(1))
    assert [(a - b) % 6 for a, b in zip(order[::2], order[1::2], strict=True)] == [3, 3, 3]
    with pytest.raises(ValueError, match="own image"):
        mined_order(owners, owners[:, None], np.random.default_rng(1))


def test_a_caption_left_over_joins_the_batch_before() -> None:
    assert [len(b) for b in cut(np.arange(9), 4)] == [4, 5]
    assert [len(b) for b in cut(np.arange(10), 4)] == [4, 4, 2]
    assert [len(b) for b in cut(np.arange(1), 4)] == [1]


def test_recipes_that_mean_nothing_are_refused() -> None:
    for wrong in (
        {"loss": "triplet"},
        {"batch": 1},
        {"rate": 0.0},
        {"temperature": float("nan")},
        {"side": "left"},
    ):
        with pytest.raises(ClipbenchError):
            Recipe(**wrong)
