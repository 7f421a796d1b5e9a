"""Small random models in Hugging Face transformers' format, made by transformers itself; nothing is downloaded."""

from pathlib import Path
from typing import Any

import torch

WORDS = [
    "a",
    "b",
    "c",
    "dog",
    "dogs",
    "man",
    "photo",
    "of",
    "red",
    "shirt",
    "two",
    "rides",
    "his",
    "bike",
    "in",
    "word",
    "and",
]
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 40,
}


def tokenizer(*, special: bool, limit: int) -> Any:
    """A tokenizer of whole words; `special` puts a beginning and an end around a text, as CLIP does."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[BOS]": 38, "[EOS]": 39, **{w: n for n, w in enumerate(WORDS, 2)}}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106, a word of the vocabulary
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        core.post_processor = processors.TemplateProcessing(
            single="[BOS] $A [EOS]", special_tokens=[("[BOS]", 38), ("[EOS]", 39)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "bos", "eos")},
        model_max_length=limit,
        model_input_names=["input_ids", "attention_mask"] if special else ["input_ids"],
    )


def clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(0)
    text = {**TEXT, "max_position_embeddings": 20, "eos_token_id": 39, "bos_token_id": 38, "pad_token_id": 0}
    CLIPModel(CLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)).save_pretrained(folder)
    tokenizer(special=True, limit=20).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )
    return folder


def siglip(folder: Path) -> Path:
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(0)
    config = SiglipConfig(
        text_config={**TEXT, "max_position_embeddings": 16, "projection_size": 32}, vision_config=VISION
    )
    SiglipModel(config).save_pretrained(folder)
    tokenizer(special=False, limit=16).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def chinese_clip(folder: Path) -> Path:
    from transformers import ChineseCLIPConfig, ChineseCLIPImageProcessor, ChineseCLIPModel

    torch.manual_seed(0)
    config = ChineseCLIPConfig(
        text_config={**TEXT, "max_position_embeddings": 20, "pad_token_id": 0},
        vision_config=VISION,
        projection_dim=24,
    )
    ChineseCLIPModel(config).save_pretrained(folder)
    tokenizer(special=True, limit=20).save_pretrained(folder)
    ChineseCLIPImageProcessor(
        size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)
    return folder


def align(folder: Path) -> Path:
    from transformers import AlignConfig, AlignModel, EfficientNetImageProcessor

    torch.manual_seed(0)
    config = AlignConfig(
        text_config={**TEXT, "max_position_embeddings": 20, "pad_token_id": 0},
        vision_config={
            "image_size": 32,
            "width_coefficient": 0.25,
            "depth_coefficient": 0.25,
            "hidden_dim": 32,
            "in_channels": [32, 16],
            "out_channels": [16, 128],
            "kernel_sizes": [3, 3],
            "strides": [1, 2],
            "num_block_repeats": [1, 1],
            "expand_ratios": [1, 6],
            "depthwise_padding": [],
        },
        projection_dim=32,
    )
    AlignModel(config).save_pretrained(folder)
    tokenizer(special=True, limit=20).save_pretrained(folder)
    EfficientNetImageProcessor(
        size={"height": 32, "width": 32}, do_center_crop=False, include_top=False, rescale_offset=False
    ).save_pretrained(folder)
    return folder


FAMILIES = {"clip": clip, "siglip": siglip, "chinese-clip": chinese_clip, "align": align}
