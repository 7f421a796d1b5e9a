"""Heads of adapters: where they start, what they share, and what a seed fixes."""

import pytest
import torch

from clipbench.adapters.heads import HEADS, STARTS_AT_RANDOM, HeadOptions, build_head
from clipbench.errors import ClipbenchError

X = torch.nn.functional.normalize(torch.randn(7, 8, generator=torch.Generator().manual_seed(0)), dim=1)


@pytest.mark.parametrize("name", sorted(set(HEADS) - STARTS_AT_RANDOM - {"clip-adapter"}))
def test_a_head_starts_at_the_identity_to_the_bit(name: str) -> None:
    torch.testing.assert_close(build_head(name, 8, HeadOptions(), seed=3)(X), X, rtol=0, atol=0)


def test_clip_adapter_starts_at_the_identity_but_for_length() -> None:
    y = torch.nn.functional.normalize(build_head("clip-adapter", 8, HeadOptions(alpha=0.2), seed=3)(X), dim=1)
    torch.testing.assert_close(y, X)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_the_seed_fixes_the_weights_and_leaves_the_global_generator_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    one, again, other = (build_head(name, 8, HeadOptions(), seed=s).eval()(X) for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert torch.equal(torch.random.get_rng_state(), before)
    if name in STARTS_AT_RANDOM:
        assert not torch.equal(one, other)


def test_a_residual_adds_alpha_times_its_branch() -> None:
    head = build_head("residual", 8, HeadOptions(alpha=0.3), seed=0)
    torch.nn.init.ones_(head.branch.outer.weight)
    torch.testing.assert_close(head(X), X + 0.3 * head.branch(X))
    assert "alpha" not in dict(head.named_parameters())
    assert "alpha" in dict(
        build_head("residual", 8, HeadOptions(learn_alpha=True), seed=0).named_parameters()
    )


@pytest.mark.parametrize("name", sorted(set(HEADS) - {"identity"}))
def test_one_step_moves_every_head(name: str) -> None:
    head = build_head(name, 8, HeadOptions(), seed=0)
    before = head.eval()(X).detach().clone()
    step = torch.optim.SGD(head.parameters(), lr=0.5)
    (head(X) @ torch.arange(float(before.shape[1]))).sum().backward()
    step.step()
    assert not torch.equal(head(X), before)


def test_unknown_heads_and_meaningless_options_are_refused() -> None:
    with pytest.raises(ClipbenchError, match="there are identity, diagonal"):
        build_head("transformer", 8, HeadOptions(), 0)
    with pytest.raises(ClipbenchError, match=r"alpha lies in 0\.\.1"):
        build_head("residual", 8, HeadOptions(alpha=2), 0)
