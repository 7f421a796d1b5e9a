"""A model as a `local-dir:` folder that open_clip, and so every command, loads as it loads any other.

The folder holds the configuration, the weights as safetensors and, where the model came from a folder with a
tokenizer of its own, that tokenizer's files. Writes nothing else.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipbench.encoders.loading import model_config
from clipbench.encoders.resolution import resolve
from clipbench.encoders.sources import CONFIG, WEIGHTS
from clipbench.encoders.specification import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

TOKENIZER = ("tokenizer", "vocab", "merges", "special_tokens", "added_tokens", "spiece", "sentencepiece")
"""What the names of a tokenizer's own files begin with."""


def write_folder(folder: Path, spec: ModelSpec, model: Any, tensors: Mapping[str, Tensor]) -> None:
    """Write a model of `spec`'s architecture with these tensors into an existing folder.

    model: the loaded open_clip model, which says how it prepares images. Raises OSError where it cannot be written.
    """
    from safetensors.torch import save_file

    config = {
        "model_cfg": dict(model_config(spec, resolve(spec))),
        "preprocess_cfg": dict(model.visual.preprocess_cfg),
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    if spec.source == "folder":
        for path in sorted(spec.folder.iterdir()):
            if path.is_file() and path.name.startswith(TOKENIZER):
                shutil.copyfile(path, folder / path.name)
    copies = {name: tensors[name].detach().cpu().clone().contiguous() for name in sorted(tensors)}
    save_file(copies, folder / WEIGHTS[0], {"format": "pt"})
    # safetensors makes files for their owner alone; a model is read by whoever may read its configuration.
    (folder / WEIGHTS[0]).chmod((folder / CONFIG).stat().st_mode)
