"""Fine-tuning: the weights of a model's own towers, or part of them, the best epoch by validation.

Knows no store, no dataset and no model library: towers are functions from pixels and tokens to vectors. As in
`training`, an epoch's draws come from (seed, epoch) alone, so a run that goes on ends as one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own custom

from clipbench.adapters.batches import cut
from clipbench.adapters.losses import Batch, LossOptions, loss_named
from clipbench.adapters.low_rank import plain_state
from clipbench.adapters.training import Epoch, State
from clipbench.adapters.unfreezing import PARTS, Part, Unfrozen, unfreeze
from clipbench.errors import ClipbenchError

Positions: TypeAlias = npt.NDArray[np.int64]

CLAMP = math.log(100)
"""Highest logarithm of the scale, as in CLIP."""

WARM = 0.1
"""Share of the steps in which the learning rate rises."""

LONGEST_STEP = 1.0
"""Norm to which gradients are cut."""


@dataclass(frozen=True, slots=True)
class FinetuneRecipe:
    """How weights are fine-tuned.

    part: what learns. epochs: times every image is shown, each time with one of its captions. rate, decay: AdamW's,
    rising for a tenth of the steps and then falling as a cosine to 0; decay touches matrices alone. rank: of the
    low-rank correction. probe: learn the projections alone first, for as many epochs at `probe_rate`, and go on
    from the best of them (LP-FT, Kumar et al. 2022). patience: epochs without a better validation score after
    which training stops, None for none.
    """

    part: Part = "norm"
    epochs: int = 10
    batch: int = 64
    rate: float = 1e-3
    decay: float = 0.0
    rank: int = 8
    probe: bool = False
    probe_rate: float = 1e-3
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ClipbenchError for a recipe that means nothing."""
        if self.part not in PARTS:
            raise ClipbenchError(f"there is no part {self.part!r}; there are {', '.join(PARTS)}")
        if self.epochs < 0 or self.batch < 2:
            raise ClipbenchError("epochs are 0 or more, and a batch holds 2 images or more", "--batch 64")
        if not all(math.isfinite(v) and v > 0 for v in (self.rate, self.probe_rate)) or not self.decay >= 0:
            raise ClipbenchError("the learning rate is above 0, and the decay is not below 0", "--rate 1e-4")
        if self.probe and self.part in {"projection", "bn-stats"}:
            raise ClipbenchError(
                f"the projections are learned first to go on with more; {self.part} is not more",
                "--unfreeze full",
            )

    @property
    def phases(self) -> tuple[tuple[Part, float], ...]:
        """What learns at which rate, one phase after another, each of `epochs`."""
        own: tuple[Part, float] = (self.part, self.rate)
        return (("projection", self.probe_rate), own) if self.probe else (own,)

    @property
    def total(self) -> int:
        """Epochs of all phases."""
        return self.epochs * len(self.phases)


RATES: Mapping[Part, float] = {
    "norm": 1e-3,
    "projection": 1e-3,
    "last-block": 3e-4,
    "full": 1e-4,
    "lora": 1e-3,
    "bn-stats": 1e-3,
}
"""Learning rates that did well in trials on small models; of a large model's own weights less is often enough."""


@dataclass(frozen=True)
class Towers:
    """A model that may be changed. images: uint8 (n, H, W, 3), texts: token ids (n, L), both to vectors (n, D)."""

    model: nn.Module
    images: Callable[[Tensor], Tensor]
    texts: Callable[[Tensor], Tensor]

    @property
    def loss(self) -> str:
        """The loss it was made with: "sigmoid" where it has a bias for one, else "infonce"."""
        return "infonce" if getattr(self.model, "logit_bias", None) is None else "sigmoid"


@dataclass(frozen=True)
class TrainingPairs:
    """What is learned from. pixels: positions of images to uint8 (n, H, W, 3), as the model prepares them.

    tokens: int64 (M, L), of captions image after image. owners (M,): for each caption the position of its image.
    """

    pixels: Callable[[Positions], npt.NDArray[np.uint8]]
    tokens: npt.NDArray[np.int64]
    owners: Positions

    def epoch(self, draws: np.random.Generator, size: int) -> Iterator[tuple[Positions, Positions]]:
        """Yield batches of an epoch: images in random order, and of each one of its captions at random."""
        counts = np.bincount(self.owners)
        first = np.cumsum(counts) - counts
        for images in cut(draws.permutation(len(counts)), size):
            yield images, first[images] + draws.integers(0, counts[images])

    def steps(self, size: int) -> int:
        """Return how many batches an epoch has."""
        return len(cut(np.arange(int(self.owners[-1]) + 1), size))


Validate: TypeAlias = Callable[[], Mapping[str, float]]
"""Scores of the model as it stands on the validation set; "rsum" is what counts."""


def finetune(
    recipe: FinetuneRecipe,
    towers: Towers,
    pairs: TrainingPairs,
    validate: Validate,
    finished: Callable[[State], None],
    stepped: Callable[[], None] = lambda: None,
    state: State | None = None,
) -> State:
    """Change a model and return the last state; `finished` is told after every epoch, epoch 0 included.

    The model is left as the last epoch made it; `State.best` holds the tensors in which the best epoch differs from
    the model that came in, by their plain names, and none where no change (epoch 0) is best. state: where to go
    on, with the same model as before. Raises ClipbenchError where the loss is no longer a number.
    """
    if state is None:
        state = State({}, {}, (Epoch(0, None, _scale(towers.model), validate()),))
        finished(state)
    original = plain_state(towers.model) if recipe.probe else {}
    scope: frozenset[str] = frozenset()
    for number, (part, rate) in enumerate(recipe.phases):
        begin, last = number * recipe.epochs, number + 1 == len(recipe.phases)
        if number:
            towers.model.load_state_dict({**original, **state.best}, strict=False)
        phase = _Phase(replace(recipe, part=part, rate=rate, probe=False), towers, pairs, begin, scope)
        scope = phase.scope
        if len(state.log) > begin + 1 and (last or len(state.log) <= begin + recipe.epochs):
            phase.restore(state)
        for epoch in range(len(state.log), begin + recipe.epochs + 1):
            if last and recipe.patience is not None and _since_best(state, begin) >= recipe.patience:
                break
            loss = phase.epoch(epoch, stepped)
            state = phase.state(state, loss, validate())
            finished(state)
    return state


def _since_best(state: State, begin: int) -> int:
    return state.log[-1].number - max(state.best_epoch.number, begin)


def _scale(model: nn.Module) -> float:
    scale = getattr(model, "logit_scale", None)
    return 1.0 if scale is None else float(scale.detach().exp())


class _Phase:
    """A model of which one part learns, with its optimiser and schedule."""

    def __init__(
        self, recipe: FinetuneRecipe, towers: Towers, pairs: TrainingPairs, begin: int, scope: frozenset[str]
    ) -> None:
        self._recipe = recipe
        self._towers = towers
        self._pairs = pairs
        self._begin = begin
        self._unfrozen: Unfrozen = unfreeze(towers.model, recipe.part, rank=recipe.rank, seed=recipe.seed)
        self.scope = scope | self._unfrozen.scope
        learned = list(self._unfrozen.learned.values())
        groups = [
            {"params": [p for p in learned if p.ndim > 1], "weight_decay": recipe.decay},
            {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98)) if learned else None
        self._loss = loss_named(towers.loss)

    def epoch(self, number: int, stepped: Callable[[], None]) -> float | None:
        """Show every image once and return the mean loss; None where nothing is learned but counted."""
        recipe, model = self._recipe, self._towers.model
        draws = np.random.default_rng((recipe.seed, number))
        generator = torch.Generator().manual_seed(int(draws.integers(2**62)))
        batches = list(self._pairs.epoch(draws, recipe.batch))
        # Nothing but BatchNorm layers that learn is in training mode: pretrained towers know no dropout.
        model.eval()
        for layer in self._unfrozen.counting:
            layer.train()
            if self._optimiser is None:
                layer.reset_running_stats()  # type: ignore[operator]  # a BatchNorm layer has it
                layer.momentum = None  # type: ignore[assignment]  # the plain mean over all batches
        total = 0.0
        for step, (images, captions) in enumerate(batches):
            if self._optimiser is None:
                with torch.no_grad():
                    self._towers.images(torch.from_numpy(self._pairs.pixels(images)))
            else:
                self._set_rate((number - self._begin - 1) * len(batches) + step, recipe.epochs * len(batches))
                total += self._step(images, captions, generator) * len(images)
            stepped()
        model.eval()
        return total / sum(len(images) for images, _ in batches) if self._optimiser else None

    def _set_rate(self, step: int, steps: int) -> None:
        warm = max(1, round(WARM * steps))
        rising = min(1.0, (step + 1) / warm)
        falling = 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, steps - warm)))
        for group in self._optimiser.param_groups if self._optimiser else ():
            group["lr"] = self._recipe.rate * rising * falling

    def _step(self, images: Positions, captions: Positions, generator: torch.Generator) -> float:
        model = self._towers.model
        pixels = torch.from_numpy(self._pairs.pixels(images))
        tokens = torch.from_numpy(self._pairs.tokens[captions])
        scale, bias = getattr(model, "logit_scale", None), getattr(model, "logit_bias", None)
        batch = Batch(
            # The loss is small work: on the CPU it is the same wherever the towers run.
            texts=F.normalize(self._towers.texts(tokens).float(), dim=1).cpu(),
            images=F.normalize(self._towers.images(pixels).float(), dim=1).cpu(),
            groups=torch.from_numpy(images),
            scale=torch.ones(()) if scale is None else scale.exp().clamp(max=math.exp(CLAMP)).cpu(),
            bias=torch.zeros(()) if bias is None else bias.cpu(),
            draws=generator,
        )
        loss = self._loss(batch, LossOptions())
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ClipbenchError("the loss is no longer a number", "a smaller --rate")
        self._learn(loss)
        return value

    def _learn(self, loss: Tensor) -> None:
        if self._optimiser is None:
            return
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(list(self._unfrozen.learned.values()), LONGEST_STEP)
        self._optimiser.step()
        scale = getattr(self._towers.model, "logit_scale", None)
        if scale is not None:
            with torch.no_grad():
                scale.clamp_(max=CLAMP)

    def state(self, before: State, loss: float | None, scores: Mapping[str, float]) -> State:
        """Return where training stands after an epoch with these validation scores."""
        epoch = Epoch(len(before.log), loss, _scale(self._towers.model), scores)
        state = State(self._tensors(), before.best, (*before.log, epoch))
        if state.best_epoch.number != epoch.number:
            return state
        plain = plain_state(self._towers.model)
        return replace(state, best={name: plain[name].cpu() for name in sorted(self.scope & plain.keys())})

    def _tensors(self) -> dict[str, Tensor]:
        """Return what the next epoch needs: all that changes of the model, and the optimiser's moments."""
        kept = self._unfrozen.learned.keys() | self.scope
        tensors = {
            f"model.{name}": value.detach().cpu().clone()
            for name, value in self._towers.model.state_dict().items()
            if name in kept or name.endswith(".original")  # what a correction stands beside
        }
        if self._optimiser is not None:
            for number, values in self._optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{number}.{k}": v.detach().cpu().clone() for k, v in values.items()}
        return tensors

    def restore(self, state: State) -> None:
        """Put everything back to where a state of this phase stands."""
        model = {k.removeprefix("model."): v for k, v in state.tensors.items() if k.startswith("model.")}
        self._towers.model.load_state_dict(model, strict=False)
        if self._optimiser is None:
            return
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in state.tensors.items():
            if key.startswith("optimiser."):
                _, number, name = key.split(".")
                moments.setdefault(int(number), {})[name] = value.clone()
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": moments, "param_groups": groups})
