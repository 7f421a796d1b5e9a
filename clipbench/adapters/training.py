"""Training: two heads on frozen vectors, the best epoch by validation. Knows no store and no dataset.

An epoch's draws come from (seed, epoch) alone, so a run that goes on from the state of its last epoch ends with
the same weights to the bit as one that was never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own custom

from clipbench.adapters.batches import ORDERS, Order, cut, epoch_order, mined_order
from clipbench.adapters.heads import HeadOptions, build_head
from clipbench.adapters.losses import SCALELESS, Batch, LossOptions, loss_named
from clipbench.errors import ClipbenchError

Vectors: TypeAlias = npt.NDArray[np.float32]
Side: TypeAlias = Literal["text", "image", "both"]
SIDES: tuple[Side, ...] = get_args(Side)

RSUM = "rsum"
"""The validation score by which the best epoch is chosen."""

MINED = 7
"""Hardest negatives that follow a caption where they are mined."""

BIAS = -10.0
"""Where the sigmoid loss's bias starts, as in SigLIP: nearly all pairs are no matches."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How heads are trained. Defaults are those that did best in trials on Flickr8k and on products.

    side: which vectors get a head. rate, decay: AdamW's, with a cosine to 0 over all epochs where `cosine`.
    temperature: 1/scale at the start; learned with rate × scale_rate and held to at most `clamp`, or fixed.
    mine_every: epochs between two minings of hard negatives, None for none. patience: epochs without a better
    validation score after which training stops, None for none.
    """

    head: str = "residual"
    side: Side = "both"
    options: HeadOptions = field(default_factory=HeadOptions)
    loss: str = "masked"
    loss_options: LossOptions = field(default_factory=LossOptions)
    epochs: int = 20
    batch: int = 256
    rate: float = 1e-3
    decay: float = 0.01
    cosine: bool = True
    temperature: float = 0.07
    learn_scale: bool = True
    scale_rate: float = 10.0
    clamp: float = 100.0
    order: Order = "shuffled"
    mine_every: int | None = None
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ClipbenchError for a recipe that means nothing."""
        loss_named(self.loss)
        if self.side not in SIDES or self.order not in ORDERS:
            raise ClipbenchError(f"sides are {', '.join(SIDES)}, orders {', '.join(ORDERS)}")
        if self.epochs < 0 or self.batch < 2:
            raise ClipbenchError("epochs are 0 or more, and a batch holds 2 captions or more", "--batch 256")
        positive = (self.rate, self.temperature, self.clamp, self.scale_rate)
        if not all(math.isfinite(v) and v > 0 for v in positive) or self.decay < 0:
            raise ClipbenchError("rate, temperature and clamp are above 0, and the decay is not below 0")


STEPS = 400
"""Steps that training takes at least where nobody says how many epochs: a small set needs more of them."""


def enough_epochs(captions: int, batch: int) -> int:
    """Return 20 epochs, or as many as make `STEPS` steps of so many captions.

    >>> enough_epochs(28_315, 256), enough_epochs(1_392, 256)
    (20, 67)
    """
    return max(20, math.ceil(STEPS / math.ceil(captions / batch)))


class Adapter(nn.Module):
    """A head for texts and one for images; what they give has norm 1."""

    def __init__(self, text: nn.Module, image: nn.Module) -> None:
        super().__init__()
        self.text = text
        self.image = image

    def apply_to(self, vectors: Vectors, modality: Literal["text", "image"], rows: int = 8192) -> Vectors:
        """Return unit vectors (n, D) as this adapter sees them; float32, `rows` at a time, without gradients."""
        self.eval()
        head = self.text if modality == "text" else self.image
        parts = []
        with torch.inference_mode():
            for start in range(0, len(vectors), rows):
                part = torch.from_numpy(np.array(vectors[start : start + rows], dtype=np.float32))
                parts.append(F.normalize(head(part), dim=1).numpy())
        return np.concatenate(parts) if parts else np.empty((0, vectors.shape[1]), np.float32)


def new_adapter(recipe: Recipe, dimension: int) -> Adapter:
    """Return the untrained adapter of a recipe; the text and the image head draw from seeds of their own."""

    def head(side: Side, seed: int) -> nn.Module:
        name = recipe.head if recipe.side in {side, "both"} else "identity"
        return build_head(name, dimension, recipe.options, seed)

    if recipe.head == "two-tower" and recipe.side != "both":
        raise ClipbenchError(
            "the two-tower control halves the dimension, so it needs both sides", "--side both"
        )
    return Adapter(head("text", 2 * recipe.seed), head("image", 2 * recipe.seed + 1))


@dataclass(frozen=True)
class TrainingVectors:
    """What is learned from. texts: epoch → float32 (M, D), the same each epoch unless captions are perturbed.

    images (N, D): unit vectors. owners (M,): for each caption the position of its image.
    """

    texts: Callable[[int], Vectors]
    images: Vectors
    owners: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the training log; epoch 0 is before any training. scores: what validation found."""

    number: int
    loss: float | None
    scale: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class State:
    """All that training needs to go on: tensors by name, and the log so far. best: tensors of the best epoch."""

    tensors: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    log: tuple[Epoch, ...]

    @property
    def best_epoch(self) -> Epoch:
        """The epoch of the highest validation score, the earliest where equal."""
        return max(self.log, key=lambda epoch: (epoch.scores[RSUM], -epoch.number))


Validate: TypeAlias = Callable[[Adapter], Mapping[str, float]]
"""Scores of an adapter on the validation set; "rsum" is what counts."""


def train(
    recipe: Recipe,
    data: TrainingVectors,
    validate: Validate,
    finished: Callable[[State], None],
    state: State | None = None,
) -> State:
    """Train and return the last state; `finished` is told after every epoch, epoch 0 included.

    state: where to go on. The best epoch is the one of the highest validation RSUM, and no change at all
    (epoch 0) is a candidate. Raises ClipbenchError where the loss is no longer a number.
    """
    learner = _Learner(recipe, data)
    if state is None:
        state = learner.state(None, None, validate)
        finished(state)
    else:
        learner.restore(state)
    for number in range(len(state.log), recipe.epochs + 1):
        if recipe.patience is not None and state.log[-1].number - state.best_epoch.number >= recipe.patience:
            break
        loss = learner.epoch(number)
        state = learner.state(state, loss, validate)
        finished(state)
    return state


def best_adapter(recipe: Recipe, dimension: int, state: State) -> Adapter:
    """Return the adapter of the best epoch, ready to be applied."""
    adapter = new_adapter(recipe, dimension)
    adapter.load_state_dict(dict(state.best))
    return adapter.eval()


class _Learner:
    """An adapter with its scale, optimiser and schedule: what changes while training."""

    def __init__(self, recipe: Recipe, data: TrainingVectors) -> None:
        self._recipe = recipe
        self._data = data
        self._adapter = new_adapter(recipe, data.images.shape[1])
        self._images = torch.from_numpy(np.array(data.images, dtype=np.float32))
        self._owners = torch.from_numpy(data.owners.astype(np.int64))
        self._loss = loss_named(recipe.loss)
        self._log_scale = nn.Parameter(torch.tensor(math.log(1 / recipe.temperature)))
        self._bias = nn.Parameter(torch.tensor(BIAS))
        learned = [] if recipe.loss in SCALELESS or not recipe.learn_scale else [self._log_scale]
        if recipe.loss == "sigmoid":
            learned.append(self._bias)
        groups = [{"params": list(self._adapter.parameters()), "weight_decay": recipe.decay}]
        if learned:
            # The temperature is no weight of a layer: decay would pull it to 1, which means nothing.
            groups.append({"params": learned, "lr": recipe.rate * recipe.scale_rate, "weight_decay": 0.0})
        self._groups = [group for group in groups if group["params"]]
        self._optimiser = torch.optim.AdamW(self._groups, lr=recipe.rate) if self._groups else None
        self._rates = [group["lr"] for group in self._optimiser.param_groups] if self._optimiser else []

    def epoch(self, number: int) -> float:
        """Learn from every caption once and return the mean loss."""
        recipe = self._recipe
        numbers = np.random.default_rng((recipe.seed, number))
        draws = torch.Generator().manual_seed(int(numbers.integers(2**62)))
        texts = np.array(self._data.texts(number), dtype=np.float32)
        batches = cut(self._order(number, texts, numbers), recipe.batch)
        tensors = torch.from_numpy(texts)
        total = 0.0
        self._adapter.train()
        with torch.random.fork_rng(devices=[]):  # dropout draws from the global generator
            torch.manual_seed(int(numbers.integers(2**62)))
            for step, batch in enumerate(batches):
                self._set_rates(((number - 1) * len(batches) + step) / max(1, recipe.epochs * len(batches)))
                total += self._step(tensors, torch.from_numpy(batch), draws) * len(batch)
        return total / len(texts)

    def _order(self, number: int, texts: Vectors, draws: np.random.Generator) -> npt.NDArray[np.int64]:
        owners, every = self._data.owners, self._recipe.mine_every
        if every is None or (number - 1) % every:
            return epoch_order(owners, self._recipe.order, draws)
        own = self._adapter.apply_to(texts, "text")
        images = self._adapter.apply_to(self._data.images, "image")
        return mined_order(owners, _hardest(own, images, owners), draws)

    def _set_rates(self, progress: float) -> None:
        factor = 0.5 * (1 + math.cos(math.pi * progress)) if self._recipe.cosine else 1.0
        if self._optimiser is not None:
            for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
                group["lr"] = rate * factor

    def _step(self, texts: Tensor, rows: Tensor, draws: torch.Generator) -> float:
        groups = self._owners[rows]
        batch = Batch(
            texts=F.normalize(self._adapter.text(texts[rows]), dim=1),
            images=F.normalize(self._adapter.image(self._images[groups]), dim=1),
            groups=groups,
            scale=self._log_scale.exp().clamp(max=self._recipe.clamp),
            bias=self._bias,
            draws=draws,
        )
        loss = self._loss(batch, self._recipe.loss_options)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ClipbenchError(
                "the loss is no longer a number", "a smaller --rate, or a larger --temperature"
            )
        if self._optimiser is not None and loss.requires_grad:
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self._optimiser.step()
            with torch.no_grad():
                self._log_scale.clamp_(max=math.log(self._recipe.clamp))
        return value

    def state(self, before: State | None, loss: float | None, validate: Validate) -> State:
        """Return where training stands now, with the validation scores of this epoch."""
        number = len(before.log) if before else 0
        scale = min(float(self._log_scale.detach().exp()), self._recipe.clamp)
        epoch = Epoch(number, loss, scale, validate(self._adapter))
        weights = {name: value.detach().clone() for name, value in self._adapter.state_dict().items()}
        state = State(self._tensors(weights), weights, (*(before.log if before else ()), epoch))
        if before is not None and state.best_epoch.number != number:
            return replace(state, best=before.best)
        return state

    def _tensors(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        tensors = {f"adapter.{name}": value for name, value in weights.items()}
        tensors |= {"log_scale": self._log_scale.detach().clone(), "bias": self._bias.detach().clone()}
        if self._optimiser is not None:
            for number, values in self._optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{number}.{name}": value.clone() for name, value in values.items()}
        return tensors

    def restore(self, state: State) -> None:
        """Put everything back to where a state stands."""
        tensors = dict(state.tensors)
        named = {k.removeprefix("adapter."): v for k, v in tensors.items() if k.startswith("adapter.")}
        self._adapter.load_state_dict(named)
        with torch.no_grad():
            self._log_scale.copy_(tensors["log_scale"])
            self._bias.copy_(tensors["bias"])
        if self._optimiser is None:
            return
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, number, name = key.split(".")
                moments.setdefault(int(number), {})[name] = value.clone()
        saved = self._optimiser.state_dict()
        self._optimiser.load_state_dict({"state": moments, "param_groups": saved["param_groups"]})


def _hardest(texts: Vectors, images: Vectors, owners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return each caption's highest-scoring images that are not its own, best first; int64 (M, k)."""
    count = min(MINED, len(images) - 1)
    parts = []
    for start in range(0, len(texts), 1024):
        scores = texts[start : start + 1024] @ images.T
        own = owners[start : start + 1024]
        scores[np.arange(len(scores)), own] = -np.inf
        parts.append(np.argsort(-scores, axis=1, kind="stable")[:, :count])
    return np.concatenate(parts)
