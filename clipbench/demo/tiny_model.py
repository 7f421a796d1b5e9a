"""The architecture of the bundled model and its folder on disk, in open_clip's own format.

A modified ResNet with attention pooling and a causal text transformer, as in CLIP, only tiny. Training
uses a table of the words seen; the saved table has every token of the standard tokenizer, with zeros
for the rest, so that the folder needs no special case anywhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import torch

from clipbench.demo.scene_tensors import Vocabulary

Clip: TypeAlias = Any
"""An `open_clip.model.CLIP`; open_clip has no types."""

CONTEXT = 32
SIDE = 64
CONFIG: dict[str, Any] = {
    "embed_dim": 96,
    "vision_cfg": {"layers": [1, 2, 2, 1], "width": 12, "head_width": 32, "image_size": SIDE},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 49408, "width": 64, "heads": 4, "layers": 3},
}
PREPROCESSING: dict[str, Any] = {
    "size": SIDE,
    "mode": "RGB",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "squash",
    "fill_color": 0,
}


def build(vocabulary_size: int) -> Clip:
    """Return an untrained model whose text table has this many rows."""
    from open_clip.model import CLIP

    text = {**CONFIG["text_cfg"], "vocab_size": vocabulary_size}
    model: Clip = CLIP(CONFIG["embed_dim"], CONFIG["vision_cfg"], text)
    return model


def write_config(folder: Path) -> None:
    """Write open_clip_config.json, from which open_clip also builds the tokenizer."""
    config = {"model_cfg": CONFIG, "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def save(model: Clip, vocabulary: Vocabulary, folder: Path) -> None:
    """Write the weights: half precision, and the word table (most of the file) in eight-bit floats.

    open_clip widens both to float32 when it loads them.
    """
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        kept = tensor.detach().contiguous()
        if name == "token_embedding.weight":
            table = torch.zeros(CONFIG["text_cfg"]["vocab_size"], kept.shape[1])
            table[torch.from_numpy(vocabulary.tokens)] = kept
            kept = table.to(torch.float8_e4m3fn)
        tensors[name] = kept.half() if kept.dtype == torch.float32 else kept
    save_file(tensors, folder / "open_clip_model.safetensors", metadata={"format": "pt"})


def load(folder: Path) -> Clip:
    """Return the model of a folder as any user of open_clip gets it."""
    import open_clip

    model: Clip = open_clip.create_model_and_transforms(f"local-dir:{folder}")[0]
    return model
