"""Losses over a batch of matching vectors; some twenty lines each, the formula in the docstring.

A batch is n texts t_i with the images x_i they belong to, all of norm 1; s_ij = t_i · x_j. `groups` says
which image a row belongs to: rows of one group are captions of the same image, so that for i ≠ j of one
group the pair (t_i, x_j) is a match too and no negative. σ is the logit scale, 1/τ. Both directions are
averaged. Rows' image vectors are equal within a group, since they are the same image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own custom

from clipbench.errors import ClipbenchError

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Settings of a loss; each loss heeds those its formula names.

    margin: of the margin losses. prior: share of false negatives that the debiased loss assumes. beta: how
    sharply the hardness-weighted loss looks at hard negatives (0 is the debiased loss).
    """

    margin: float = 0.2
    prior: float = 0.01
    beta: float = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """texts, images (n, D) of norm 1; groups int64 (n,); scale and bias as 0-dimensional tensors.

    draws: a generator for losses that draw negatives.
    """

    texts: Tensor
    images: Tensor
    groups: Tensor
    scale: Tensor
    bias: Tensor
    draws: torch.Generator

    def scores(self) -> Tensor:
        """Return s, the cosines of every text with every image of the batch; (n, n)."""
        return self.texts @ self.images.T

    def siblings(self) -> Tensor:
        """Return which pairs i ≠ j are of one image; bool (n, n)."""
        same = self.groups[:, None] == self.groups[None, :]
        return same & ~torch.eye(len(same), dtype=torch.bool)


def infonce(batch: Batch, _options: LossOptions) -> Tensor:
    """−log exp(σ s_ii) / Σ_j exp(σ s_ij), mean over i and over both directions (van den Oord et al. 2018; CLIP)."""
    logits = batch.scale * batch.scores()
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def masked(batch: Batch, _options: LossOptions) -> Tensor:
    """InfoNCE whose denominator leaves out the other captions of the same image."""
    logits = (batch.scale * batch.scores()).masked_fill(batch.siblings(), NEVER)
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def multi_positive(batch: Batch, _options: LossOptions) -> Tensor:
    """SupCon's L_out: −(1/|P_i|) Σ_{p∈P_i} log exp(σ s_ip) / Σ_j exp(σ s_ij), P_i all rows of i's image.

    Khosla et al. 2020, eq. 2. Summed over both directions it equals InfoNCE here, in value and gradient:
    siblings share one image vector, so a text's positives all have the same score, and for images the sum over
    a group's texts is the same sum in another order.
    """
    logits = batch.scale * batch.scores()
    same = (batch.groups[:, None] == batch.groups[None, :]).to(logits.dtype)
    share = same / same.sum(dim=1, keepdim=True)
    by_text = -(share * F.log_softmax(logits, dim=1)).sum(dim=1).mean()
    by_image = -(share * F.log_softmax(logits.T, dim=1)).sum(dim=1).mean()
    return (by_text + by_image) / 2


def multi_positive_in(batch: Batch, _options: LossOptions) -> Tensor:
    """SupCon's L_in: −log (1/|P_i|) Σ_{p∈P_i} exp(σ s_ip) / Σ_j exp(σ s_ij) (Khosla et al. 2020, eq. 3)."""
    logits = batch.scale * batch.scores()
    same = batch.groups[:, None] == batch.groups[None, :]
    count = same.sum(dim=1).log()

    def direction(table: Tensor) -> Tensor:
        inside = table.masked_fill(~same, NEVER).logsumexp(dim=1) - count
        return (table.logsumexp(dim=1) - inside).mean()

    return (direction(logits) + direction(logits.T)) / 2


def sigmoid(batch: Batch, _options: LossOptions) -> Tensor:
    """Take every pair as a question of its own (SigLIP, Zhai et al. 2023).

    −(1/n) Σ_ij log sigmoid(z_ij (σ s_ij + b)), with z = 1 for matches and −1 for all other pairs.
    """
    logits = batch.scale * batch.scores() + batch.bias
    same = batch.groups[:, None] == batch.groups[None, :]
    return -F.logsigmoid(torch.where(same, logits, -logits)).sum() / len(logits)


def margin_random(batch: Batch, options: LossOptions) -> Tensor:
    """max(0, m − s_ii + s_ij) with one negative j drawn for each i, in both directions.

    The draw is uniform over the rows of other images. A batch of one image has no negative: its loss is 0.
    """
    scores, others = batch.scores(), batch.groups[:, None] != batch.groups[None, :]
    able = others.any(dim=1)
    if not bool(able.any()):
        return scores.sum() * 0
    drawn = torch.multinomial(others[able].to(scores.dtype), 1, generator=batch.draws)[:, 0]
    own = scores.diagonal()[able]
    texts = F.relu(options.margin - own + scores[able, :].gather(1, drawn[:, None])[:, 0])
    images = F.relu(options.margin - own + scores.T[able, :].gather(1, drawn[:, None])[:, 0])
    return (texts.mean() + images.mean()) / 2


def margin_hard(batch: Batch, options: LossOptions) -> Tensor:
    """max(0, m − s_ii + max_j s_ij), the hardest negative of the batch, in both directions (VSE++, Faghri et al. 2018)."""
    scores, others = batch.scores(), batch.groups[:, None] != batch.groups[None, :]
    if not bool(others.any()):
        return scores.sum() * 0
    negatives = scores.masked_fill(~others, -1e4)
    own = scores.diagonal()
    texts = F.relu(options.margin - own + negatives.max(dim=1).values)
    images = F.relu(options.margin - own + negatives.max(dim=0).values)
    return (texts.mean() + images.mean()) / 2


def debiased(batch: Batch, options: LossOptions) -> Tensor:
    """−log e_i / (e_i + N g_i), g_i = max((mean_j e_ij − π e_i)/(1 − π), exp(−σ)), e = exp(σ s), N negatives.

    Debiased contrastive learning (Chuang et al. 2020): a share π of what is drawn as negative is none.
    Siblings are left out of the mean, as in the masked loss.
    """
    return _reweighted(batch, options.prior, 0.0)


def hardness_weighted(batch: Batch, options: LossOptions) -> Tensor:
    """The debiased loss with negatives weighted by exp(β σ s_ij), normalised to mean 1 (Robinson et al. 2021)."""
    return _reweighted(batch, options.prior, options.beta)


def _reweighted(batch: Batch, prior: float, beta: float) -> Tensor:
    scores = batch.scale * batch.scores()
    others = batch.groups[:, None] != batch.groups[None, :]

    def direction(table: Tensor) -> Tensor:
        count = others.sum(dim=1)
        able = count > 0  # a row without a negative has nothing to be told apart from
        if not bool(able.any()):
            return table.sum() * 0
        own, hidden = table.diagonal()[able], ~others[able]
        # log mean of w e with w = exp(β l) / mean exp(β l), kept in logarithms so that nothing overflows.
        # Hidden after the product, since 0 × -inf is no number.
        weighted = ((1 + beta) * table[able]).masked_fill(hidden, NEVER).logsumexp(dim=1)
        weights = (beta * table[able]).masked_fill(hidden, NEVER).logsumexp(dim=1)
        gap = torch.exp(weighted - weights - own) - prior
        estimate = torch.maximum(gap / (1 - prior), torch.exp(-batch.scale - own))
        return torch.log1p(count[able] * estimate).mean()

    return (direction(scores) + direction(scores.T)) / 2


Loss: TypeAlias = Callable[[Batch, LossOptions], Tensor]

LOSSES: Mapping[str, Loss] = {
    "infonce": infonce,
    "masked": masked,
    "multi-positive": multi_positive,
    "multi-positive-in": multi_positive_in,
    "sigmoid": sigmoid,
    "margin": margin_random,
    "margin-hard": margin_hard,
    "debiased": debiased,
    "hardness": hardness_weighted,
}
"""Every loss by the word of the command line."""

SCALELESS = frozenset({"margin", "margin-hard"})
"""Losses in cosines, which no temperature enters."""


def loss_named(name: str) -> Loss:
    """Return the loss of this name. Raises ClipbenchError that lists the names."""
    if name not in LOSSES:
        raise ClipbenchError(f"there is no loss {name!r}; there are {', '.join(LOSSES)}", "--loss masked")
    return LOSSES[name]
