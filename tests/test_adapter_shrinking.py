"""Between the base and a head: x + s · (what the head adds), exactly, for every head that corrects the vector."""

from __future__ import annotations

import pytest
import torch

from clipbench.adapters.heads import HEADS, STARTS_AT_RANDOM
from clipbench.adapters.shrinking import shrunk
from clipbench.adapters.training import Recipe, new_adapter
from clipbench.adapters.weights import built
from clipbench.errors import ClipbenchError

X = torch.nn.functional.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(3)), dim=1)


def trained(head: str) -> tuple[Recipe, dict[str, torch.Tensor]]:
    """A head whose weights are all moved away from where they start, as training would; α is no weight."""
    recipe = Recipe(head=head)
    state = new_adapter(recipe, 8).state_dict()
    draws = torch.Generator().manual_seed(1)
    return recipe, {
        name: value if name.endswith("alpha") else value + torch.randn(value.shape, generator=draws)
        for name, value in state.items()
    }


@pytest.mark.parametrize("head", sorted(set(HEADS) - STARTS_AT_RANDOM))
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_is_between_the_base_and_the_head(head: str, share: float) -> None:
    recipe, state = trained(head)
    whole = built(state, recipe, 8)
    kept, told = shrunk(state, recipe, share)
    part = built(kept, told, 8)
    with torch.no_grad():
        expected = X + share * (whole.text(X) - X)
        torch.testing.assert_close(part.text(X), expected, atol=1e-5, rtol=1e-5)
    assert told.options.alpha == recipe.options.alpha * share


def test_a_head_that_replaces_the_vector_has_nothing_in_between() -> None:
    for head in STARTS_AT_RANDOM:
        with pytest.raises(ClipbenchError, match="replaces the vector"):
            shrunk(*reversed(trained(head)), 0.5)  # type: ignore[misc]
    recipe, state = trained("linear")
    with pytest.raises(ClipbenchError, match=r"0\.\.1"):
        shrunk(state, recipe, 1.5)
