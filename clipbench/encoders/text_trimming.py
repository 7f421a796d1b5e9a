"""Encodes texts at their own length instead of padded to the context length.

A causal tower that pools at the end-of-text token never looks at the padding behind it, so a batch may be
cut at its longest text with the same result to rounding. open_clip's text classes take only the full
length; the tower's own parts are run here with positions and mask sliced. Towers that are not causal, pool
elsewhere or are not open_clip's are left alone. Whether it holds is checked on real texts when loading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipbench.encoders.specification import Precision

if TYPE_CHECKING:
    import torch

TOLERANCE: dict[Precision, float] = {"fp32": 1e-5, "bf16": 2e-2, "fp16": 2e-3, "int8": 1e-5}
"""Largest difference of a unit vector's component that still counts as rounding."""


@dataclass(frozen=True, slots=True)
class CausalTower:
    """The parts of a causal text tower that pools at one token. mask: (positions, positions), additive."""

    embedding: torch.nn.Module
    positions: torch.Tensor
    blocks: Any  # open_clip's Transformer, which has no types
    norm: torch.nn.Module
    projection: torch.nn.Module | torch.Tensor | None
    mask: torch.Tensor
    end_token: int | None
    """None where the pooled token is the one with the highest id ("argmax")."""

    def pooled_positions(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return for each row of tokens (n, L) the position the tower pools at; int64 (n,)."""
        if self.end_token is None:
            return tokens.argmax(dim=-1)
        return (tokens == self.end_token).int().argmax(dim=-1)

    def features(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the features (n, D) of token ids (n, L), L at most the context length; not normalised.

        Only the columns up to the last pooled position are computed.
        """
        import torch

        pooled = self.pooled_positions(tokens)
        length = int(pooled.max()) + 1
        number_format = self.blocks.get_cast_dtype()
        states = self.embedding(tokens[:, :length]).to(number_format)
        states = states + self.positions[:length].to(number_format)
        states = self.blocks(states, attn_mask=self.mask[:length, :length])
        return self.project(states[torch.arange(len(tokens), device=tokens.device), pooled])

    def project(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return the features (n, D) of the last block's states at the pooled positions (n, width)."""
        import torch

        # The final norm works on each position alone, so it may follow the pooling.
        features: torch.Tensor = self.norm(pooled)
        if self.projection is None:
            return features
        if isinstance(self.projection, torch.Tensor):
            return features @ self.projection
        projected: torch.Tensor = self.projection(features)
        return projected


def causal_tower(model: Any) -> CausalTower | None:
    """Return the text tower of an open_clip model where cutting it is exact, else None.

    That is: class CLIP, or CustomTextCLIP around a TextTransformer; a plain causal mask; pooling at the
    highest or at the end token; no class token and no second output.
    """
    from open_clip.model import CLIP, CustomTextCLIP
    from open_clip.transformer import TextTransformer, Transformer

    if type(model) is CLIP:
        tower, pool, end = model, model.text_pool_type, model.text_eos_id
    elif type(model) is CustomTextCLIP and type(model.text) is TextTransformer:
        tower, pool, end = model.text, model.text.pool_type, model.text.eos_id
        if tower.cls_emb is not None or tower.output_tokens or getattr(tower, "use_pad_mask", False):
            return None
    else:
        return None
    known = type(tower.transformer) is Transformer and tower.transformer.batch_first
    length = tower.context_length
    fits = tuple(tower.positional_embedding.shape[:1]) == (length,)
    if pool not in {"argmax", "eos"} or not known or not fits or not _is_causal(tower.attn_mask, length):
        return None
    return CausalTower(
        embedding=tower.token_embedding,
        positions=tower.positional_embedding,
        blocks=tower.transformer,
        norm=tower.ln_final,
        projection=tower.text_projection,
        mask=tower.attn_mask,
        end_token=end if pool == "eos" else None,
    )


def agrees(tower: CausalTower, model: Any, tokens: torch.Tensor, precision: Precision) -> bool:
    """Return whether the cut tower gives the model's own unit vectors on `tokens` (n, L), to rounding."""
    import torch
    from torch.nn.functional import normalize

    with torch.inference_mode():
        own = normalize(model.encode_text(tokens).float(), dim=-1)
        # Row by row, so that every row is really cut at its own length.
        cut = torch.cat([tower.features(row[None]).float() for row in tokens])
        difference = (own - normalize(cut, dim=-1)).abs().max()
    return bool(difference <= TOLERANCE[precision])


def _is_causal(mask: torch.Tensor | None, length: int) -> bool:
    import torch

    if mask is None or tuple(mask.shape) != (length, length):
        return False
    plain = torch.full((length, length), float("-inf")).triu_(1)
    return torch.equal(mask.detach().float().cpu(), plain)
