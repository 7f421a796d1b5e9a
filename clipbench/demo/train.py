"""Train the bundled tiny CLIP from nothing: `python -m clipbench.demo.train --out FOLDER`.

The scenes are drawn, a small CLIP is trained on them with the usual contrastive loss on a CPU, and an
open_clip folder is written. Settings were chosen on the validation split; the test split is never read.
Batches hold whole families of near-duplicates, so that the order of words has to be learnt; no caption
is ever perturbed.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - everyone's name for it

from clipbench.demo.scene_tensors import SplitTensors, Vocabulary, load_split
from clipbench.demo.scenes import collection as scenes
from clipbench.demo.tiny_model import CONFIG, SIDE, Clip, build, load, save, write_config


@dataclass(frozen=True)
class Settings:
    """What training depends on, besides the scenes and the architecture."""

    seed: int = 1
    steps: int = 5000
    batch: int = 128
    peak_rate: float = 2e-3
    warmup: int = 200
    weight_decay: float = 0.05
    threads: int = 1


def learning_rate(settings: Settings, step: int) -> float:
    """Return the rate at a step: a linear rise, then half a cosine down to nothing."""
    if step < settings.warmup:
        return settings.peak_rate * (step + 1) / settings.warmup
    part = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.peak_rate * 0.5 * (1 + math.cos(math.pi * part))


def family_batches(
    families: Sequence[int], size: int, generator: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    """Return one epoch of batches of `size` images, families kept together and in random order."""
    members = np.split(np.arange(len(families)), np.flatnonzero(np.diff(families)) + 1)
    order = np.concatenate([members[number] for number in generator.permutation(len(members))])
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def shifted(images: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """Return the images moved by up to 4 pixels, the edge repeated. Never mirrored: left is left."""
    down, right = generator.integers(0, 9, size=2)
    side = images.shape[-1]
    return F.pad(images, (4, 4, 4, 4), mode="replicate")[..., down : down + side, right : right + side]


def contrastive_loss(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return the symmetric cross-entropy of CLIP (Radford et al. 2021) of matching unit vectors."""
    scores = scale * images @ texts.T
    target = torch.arange(len(images))
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def encode_trimmed(model: Clip, tokens: torch.Tensor) -> torch.Tensor:
    """Return unit vectors of the captions, cut at the longest: the tower looks only backwards."""
    ends = tokens.argmax(dim=-1)
    length = int(ends.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return F.normalize(x[torch.arange(len(x)), ends] @ model.text_projection, dim=-1)


def batch_loss(
    model: Clip, data: SplitTensors, chosen: npt.NDArray[np.int64], generator: np.random.Generator
) -> torch.Tensor:
    """Return the loss of the chosen images, each with one of its five captions at random."""
    pixels = shifted(data.normalised(chosen), generator)
    with torch.autocast("cpu", torch.bfloat16):
        images = model.encode_image(pixels, normalize=True)
    which = generator.integers(0, data.tokens.shape[1], size=len(chosen))
    texts = encode_trimmed(model, torch.from_numpy(data.tokens[chosen, which]))
    return contrastive_loss(images.float(), texts, model.logit_scale.exp())


def optimizer_of(model: Clip, settings: Settings) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices only."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.peak_rate, betas=(0.9, 0.98))


def train(data: SplitTensors, check: SplitTensors, vocabulary: Vocabulary, settings: Settings) -> Clip:
    """Return a model trained on `data`, its text table as small as the vocabulary."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    generator = np.random.default_rng(settings.seed)
    model = build(vocabulary_size=len(vocabulary.tokens)).to(memory_format=torch.channels_last)
    optimizer = optimizer_of(model, settings)
    batches: list[npt.NDArray[np.int64]] = []
    start, running = time.monotonic(), 0.0
    for step in range(settings.steps):
        batches = batches or family_batches(data.families, settings.batch, generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        loss = batch_loss(model, data, batches.pop(), generator)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        running = loss.item() if step == 0 else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 200 == 0 or step + 1 == settings.steps:
            t2i, i2t = recall(model, check)
            minutes = (time.monotonic() - start) / 60
            say(
                f"step {step + 1}/{settings.steps} loss {running:.3f} "
                f"val R@1 t2i {t2i:.3f} i2t {i2t:.3f} after {minutes:.1f} min"
            )
    return model.eval()


@torch.no_grad()
def recall(model: Clip, data: SplitTensors) -> tuple[float, float]:
    """Return R@1 text to image and image to text (any of the five captions counts) on a split."""
    model.eval()
    count, each = data.tokens.shape[:2]
    parts = np.array_split(np.arange(count), max(1, count // 128))
    images = torch.cat([model.encode_image(data.normalised(part), normalize=True) for part in parts])
    flat = np.array_split(data.tokens.reshape(count * each, -1), max(1, count * each // 512))
    texts = torch.cat([model.encode_text(torch.from_numpy(part), normalize=True) for part in flat])
    model.train()
    scores = (texts @ images.T).numpy()
    owners = np.repeat(np.arange(count), each)
    t2i = float(np.mean(scores.argmax(axis=1) == owners))
    return t2i, float(np.mean(owners[scores.argmax(axis=0)] == np.arange(count)))


def say(line: str) -> None:
    """Write one line of progress to stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def notes(facts: Mapping[str, str]) -> str:
    """Return TRAINING.md."""
    lines = [
        "# How this model was trained",
        "",
        "A CLIP of toy size for trying clipbench offline: it knows the drawn scenes of `clipbench demo` and",
        "nothing else. Both towers were trained from random weights; no outside weights, pictures or",
        "captions were used. To train it again:",
        "",
        "    python -m clipbench.demo.train --out FOLDER",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        "It knows what is where it should be only in part: it tells things side by side from things above one",
        "another, but not left from right nor above from below. That, too, is worth finding out with clipbench.",
        "",
    ]
    return "\n".join(lines)


def make(folder: Path, drawn: Path, settings: Settings) -> None:
    """Draw the scenes into `drawn`, train, and write the model folder with its TRAINING.md."""
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder)
    for split in ("train", "val"):
        scenes.draw(drawn, split)
    vocabulary = Vocabulary.of(folder, scenes.scenes(drawn, "train"))
    data, check = (load_split(drawn, split, vocabulary, SIDE) for split in ("train", "val"))
    start = time.monotonic()
    model = train(data, check, vocabulary, settings)
    minutes = (time.monotonic() - start) / 60
    save(model, vocabulary, folder)
    # The figures are those of the stored weights, read as everyone reads them.
    t2i, i2t = recall(load(folder), replace(check, tokens=vocabulary.tokens[check.tokens]))
    facts = {
        "scenes": f"version {scenes.VERSION}, {len(data.families):,} training images, five captions each",
        "seed": f"{settings.seed}",
        "steps": f"{settings.steps:,} of {settings.batch} images, each with one of its captions",
        "time": f"{minutes:.0f} minutes, CPU threads: {settings.threads}, image tower in bfloat16",
        "torch": torch.__version__,
        "validation R@1": f"t2i {t2i:.3f}, i2t {i2t:.3f} ({len(check.families)} images)",
        "tokens seen": f"{len(vocabulary.tokens)} of {CONFIG['text_cfg']['vocab_size']:,}; the rest are zero",
    }
    (folder / "TRAINING.md").write_text(notes(facts))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the bundled tiny CLIP on drawn scenes.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument(
        "--scenes", type=Path, default=Path("clipbench-demo/scenes"), help="where scenes are drawn"
    )
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--threads", type=int, default=Settings.threads)
    given = parser.parse_args(arguments)
    make(given.out, given.scenes, Settings(seed=given.seed, steps=given.steps, threads=given.threads))


if __name__ == "__main__":
    main()
