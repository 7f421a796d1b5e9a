"""Tiny random open_clip models of several families, as folders; no test is in here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "vit": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": TEXT,
    },
    "resnet": {
        "embed_dim": 16,
        "vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 16, "image_size": 32},
        "text_cfg": TEXT,
    },
    "custom": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": TEXT,
        "custom_text": True,
        "init_logit_bias": -10,
    },
    "timm": {
        "embed_dim": 16,
        "vision_cfg": {
            "timm_model_name": "test_efficientnet",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": 32,
        },
        "text_cfg": TEXT,
        "custom_text": True,
    },
}


def tiny(kind: str, seed: int = 0, words: int = 1000) -> Any:
    """A random model of a family, ready to encode; BatchNorm layers have statistics of their own."""
    config = {name: value for name, value in CONFIGS[kind].items() if name != "custom_text"}
    config["text_cfg"] = {**TEXT, "vocab_size": words}
    build = open_clip.CustomTextCLIP if CONFIGS[kind].get("custom_text") else open_clip.CLIP
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(**config)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
    return model.eval()


def written(folder: Path, kind: str) -> Path:
    """The model as a folder that `local-dir:` takes."""
    folder.mkdir(parents=True)
    config = {"model_cfg": CONFIGS[kind], "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(tiny(kind, words=49408).state_dict(), folder / "open_clip_model.safetensors")
    return folder
