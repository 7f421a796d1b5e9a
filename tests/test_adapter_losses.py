"""Losses of adapters: hand-worked cases, an independent numpy form, and what they have in common."""

import numpy as np
import pytest
import torch

from clipbench.adapters.losses import LOSSES, Batch, LossOptions, loss_named
from clipbench.errors import ClipbenchError

OPTIONS = LossOptions()


def batch(seed: int = 0, groups: tuple[int, ...] = (0, 0, 1, 2, 2, 3), scale: float = 5.0) -> Batch:
    rng = np.random.default_rng(seed)
    texts = rng.normal(size=(len(groups), 6))
    pictures = rng.normal(size=(max(groups) + 1, 6))[list(groups)]
    unit = [
        torch.tensor(v / np.linalg.norm(v, axis=1, keepdims=True), requires_grad=True)
        for v in (texts, pictures)
    ]
    draws = torch.Generator().manual_seed(seed)
    return Batch(unit[0], unit[1], torch.tensor(groups), torch.tensor(scale), torch.tensor(-1.0), draws)


def tables(of: Batch) -> tuple[np.ndarray, np.ndarray, float]:
    scores = (of.texts @ of.images.T).detach().numpy()
    groups = of.groups.numpy()
    return scores, groups[:, None] == groups[None, :], float(of.scale)


def oracle(name: str, of: Batch) -> float:
    """The formulas once more, row by row in numpy."""
    scores, same, scale = tables(of)
    n = len(scores)
    total = 0.0
    for table, match in ((scores, same), (scores.T, same.T)):
        for i in range(n):
            e = np.exp(scale * table[i])
            others = ~match[i]
            if name == "infonce":
                term = -np.log(e[i] / e.sum())
            elif name == "masked":
                term = -np.log(e[i] / (e[i] + e[others].sum()))
            elif name == "multi-positive":
                term = -np.mean([np.log(e[p] / e.sum()) for p in np.flatnonzero(match[i])])
            elif name == "multi-positive-in":
                term = -np.log(np.mean(e[match[i]] / e.sum()))
            elif name == "margin-hard":
                term = max(0.0, OPTIONS.margin - table[i, i] + table[i, others].max())
            elif name in {"debiased", "hardness"}:
                beta = OPTIONS.beta if name == "hardness" else 0.0
                weights = np.exp(beta * scale * table[i, others])
                mean = (weights / weights.mean() * e[others]).mean()
                g = max((mean - OPTIONS.prior * e[i]) / (1 - OPTIONS.prior), np.exp(-scale))
                term = -np.log(e[i] / (e[i] + others.sum() * g))
            else:
                raise AssertionError(name)
            total += term / n / 2
    return total


@pytest.mark.parametrize(
    "name",
    ["infonce", "masked", "multi-positive", "multi-positive-in", "margin-hard", "debiased", "hardness"],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_loss_is_its_formula(name: str, seed: int) -> None:
    one = batch(seed)
    assert float(LOSSES[name](one, OPTIONS)) == pytest.approx(oracle(name, one), rel=1e-9)


def test_sigmoid_is_its_formula() -> None:
    one = batch()
    scores, same, scale = tables(one)
    z = np.where(same, 1, -1)
    want = -np.log(1 / (1 + np.exp(-z * (scale * scores - 1)))).sum() / len(scores)
    assert float(LOSSES["sigmoid"](one, OPTIONS)) == pytest.approx(want, rel=1e-9)


def test_infonce_of_two_orthogonal_pairs_by_hand() -> None:
    eye = torch.eye(2, dtype=torch.float64)
    one = Batch(eye, eye, torch.tensor([0, 1]), torch.tensor(2.0), torch.tensor(0.0), torch.Generator())
    assert float(LOSSES["infonce"](one, OPTIONS)) == pytest.approx(np.log(1 + np.exp(-2)))
    assert float(LOSSES["margin-hard"](one, OPTIONS)) == 0  # 0.2 - 1 + 0 is below 0


def gradient(name: str, of: Batch) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(LOSSES[name](of, OPTIONS), (of.texts, of.images))


def test_multi_positive_equals_infonce_in_value_and_in_what_reaches_a_text_or_an_image() -> None:
    one = batch(3)
    assert float(LOSSES["multi-positive"](one, OPTIONS)) == pytest.approx(
        float(LOSSES["infonce"](one, OPTIONS))
    )
    (text_a, image_a), (text_b, image_b) = gradient("multi-positive", one), gradient("infonce", one)
    torch.testing.assert_close(text_a, text_b)
    # Rows of one image are one vector, so what counts is the sum over its rows.
    for group in range(4):
        rows = one.groups == group
        torch.testing.assert_close(image_a[rows].sum(0), image_b[rows].sum(0))


def test_the_inner_form_of_multi_positive_differs_where_an_image_has_two_captions() -> None:
    paired, alone = batch(0), batch(0, groups=(0, 1, 2, 3))
    assert float(LOSSES["multi-positive-in"](paired, OPTIONS)) != pytest.approx(
        float(LOSSES["infonce"](paired, OPTIONS))
    )
    assert float(LOSSES["multi-positive-in"](alone, OPTIONS)) == pytest.approx(
        float(LOSSES["infonce"](alone, OPTIONS))
    )


def test_masking_changes_nothing_where_no_image_comes_twice() -> None:
    one = batch(0, groups=(0, 1, 2, 3))
    assert float(LOSSES["masked"](one, OPTIONS)) == pytest.approx(float(LOSSES["infonce"](one, OPTIONS)))


def test_the_hardness_weighted_loss_without_hardness_is_the_debiased_one() -> None:
    one = batch(1)
    flat = LossOptions(beta=0.0)
    assert float(LOSSES["hardness"](one, flat)) == pytest.approx(float(LOSSES["debiased"](one, flat)))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_is_finite_with_a_finite_gradient_even_in_a_batch_of_one_image(name: str) -> None:
    for groups in ((0, 1, 1, 2), (0, 0, 0)):
        one = batch(0, groups=groups, scale=100.0)
        value = LOSSES[name](one, OPTIONS)
        assert torch.isfinite(value)
        grads = torch.autograd.grad(value, (one.texts, one.images), allow_unused=True)
        assert all(torch.isfinite(g).all() for g in grads if g is not None)


def test_random_negatives_are_the_generators_and_never_siblings() -> None:
    values = [float(LOSSES["margin"](batch(0), OPTIONS)) for _ in range(2)]
    assert values[0] == values[1]
    siblings_only = batch(0, groups=(0, 0))
    assert float(LOSSES["margin"](siblings_only, OPTIONS)) == 0


def test_an_unknown_loss_is_told_with_the_names_there_are() -> None:
    with pytest.raises(ClipbenchError, match="infonce, masked"):
        loss_named("triplet")
