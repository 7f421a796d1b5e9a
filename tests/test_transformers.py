"""Models of Hugging Face transformers: their vectors are transformers' own, and what is wrong is told in a line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from clipbench.encoders.backends import backend_of
from clipbench.encoders.request import ModelRequest
from clipbench.encoders.transformers_model import TransformersEncoder, load
from clipbench.errors import EncoderError

pytest.importorskip("transformers")
from transformers_toys import FAMILIES, clip

TEXTS = ["a photo of two dogs", "a man in a red shirt rides his bike", "dog", "", "word " * 30, "dog"]


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp("model") / request.param)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TransformersEncoder:
    return load(ModelRequest(f"hf:{folder}", device="cpu"))


def pictures() -> list[Image.Image]:
    draws = np.random.default_rng(0)
    sizes = ((40, 60), (33, 32), (90, 35))
    return [Image.fromarray(draws.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]


def unit(features: object) -> np.ndarray:
    tensor = features if isinstance(features, torch.Tensor) else features.pooler_output
    return torch.nn.functional.normalize(tensor.float(), dim=-1).detach().numpy()


def own(folder: Path) -> tuple:
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    return tuple(c.from_pretrained(folder) for c in (AutoModel, AutoTokenizer, AutoImageProcessor))


def test_texts_are_what_transformers_gives_padded_to_the_limit(
    folder: Path, encoder: TransformersEncoder
) -> None:
    model, tokenizer, _ = own(folder)
    tokens = tokenizer(
        TEXTS, padding="max_length", truncation=True, max_length=encoder.text_limit, return_tensors="pt"
    )
    want = unit(model.eval().get_text_features(**{k: tokens[k] for k in tokens if k != "token_type_ids"}))
    found = encoder.encode_texts(TEXTS)
    np.testing.assert_allclose(found.vectors, want, atol=1e-5)
    assert found.truncated.tolist() == [False, False, False, False, True, False]


def test_images_are_what_transformers_gives(folder: Path, encoder: TransformersEncoder) -> None:
    model, _, processor = own(folder)
    want = unit(model.eval().get_image_features(**processor(images=pictures(), return_tensors="pt")))
    prepared = np.stack([encoder.prepare(image) for image in pictures()])
    np.testing.assert_allclose(encoder.encode_images(prepared), want, atol=1e-5)


def test_texts_are_cut_only_where_that_changes_nothing(folder: Path, encoder: TransformersEncoder) -> None:
    # SigLIP's tower reads its padding; the others attend to what is there alone.
    assert encoder.trimmed == (folder.name != "siglip")


def test_a_model_is_the_same_wherever_its_folder_lies(
    folder: Path, encoder: TransformersEncoder, tmp_path: Path
) -> None:
    import shutil

    moved = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert load(ModelRequest(f"hf:{moved}", device="cpu")).identity.key == encoder.identity.key


def test_other_weights_are_another_encoder(
    folder: Path, encoder: TransformersEncoder, tmp_path: Path
) -> None:
    import shutil

    changed = Path(shutil.copytree(folder, tmp_path / "changed"))
    tensors = load_file(changed / "model.safetensors")
    name = sorted(tensors)[0]
    tensors[name] = tensors[name] + 1e-3
    save_file(tensors, changed / "model.safetensors", metadata={"format": "pt"})
    assert load(ModelRequest(f"hf:{changed}", device="cpu")).identity.key != encoder.identity.key


def test_a_clip_model_gives_the_vectors_it_gives_in_open_clips_layout(tmp_path: Path) -> None:
    """The same weights under open_clip's names, in its own model, on the same token ids and pixels."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    folder = clip(tmp_path / "clip")
    encoder = load(ModelRequest(f"hf:{folder}", device="cpu"))
    vision = CLIPVisionCfg(layers=2, width=32, head_width=8, patch_size=8, image_size=32, mlp_ratio=2.0)
    text = CLIPTextCfg(context_length=20, vocab_size=40, width=32, heads=4, layers=2, mlp_ratio=2.0)
    model = CLIP(24, vision, text, quick_gelu=True).eval()
    model.load_state_dict(open_clip_names(load_file(folder / "model.safetensors")), strict=True)
    ids = encoder.texts(TEXTS, whole=True)["input_ids"]
    # open_clip pools at the highest id, which the end token is here.
    np.testing.assert_allclose(
        torch.nn.functional.normalize(model.encode_text(ids), dim=-1).detach().numpy(),
        encoder.encode_texts(TEXTS).vectors,
        atol=1e-5,
    )
    prepared = np.stack([encoder.prepare(image) for image in pictures()])
    numbers = encoder.pixels.numbers(torch.from_numpy(prepared))
    np.testing.assert_allclose(
        torch.nn.functional.normalize(model.encode_image(numbers), dim=-1).detach().numpy(),
        encoder.encode_images(prepared),
        atol=1e-5,
    )


def open_clip_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """transformers' CLIP tensors under open_clip's names; query, key and value become one."""
    renamed: dict[str, torch.Tensor] = {"logit_scale": state["logit_scale"]}
    towers = (("text_model", ""), ("vision_model", "visual."))
    for tower, prefix in towers:
        for layer in range(2):
            here, there = f"{tower}.encoder.layers.{layer}.", f"{prefix}transformer.resblocks.{layer}."
            for kind in ("weight", "bias"):
                joined = [state[f"{here}self_attn.{one}_proj.{kind}"] for one in "qkv"]
                renamed[f"{there}attn.in_proj_{kind}"] = torch.cat(joined)
                renamed[f"{there}attn.out_proj.{kind}"] = state[f"{here}self_attn.out_proj.{kind}"]
                for mine, theirs in (
                    ("ln_1", "layer_norm1"),
                    ("ln_2", "layer_norm2"),
                    ("mlp.c_fc", "mlp.fc1"),
                    ("mlp.c_proj", "mlp.fc2"),
                ):
                    renamed[f"{there}{mine}.{kind}"] = state[f"{here}{theirs}.{kind}"]
    text, vision = "text_model.embeddings.", "vision_model.embeddings."
    renamed |= {
        "token_embedding.weight": state[f"{text}token_embedding.weight"],
        "positional_embedding": state[f"{text}position_embedding.weight"],
        "visual.class_embedding": state[f"{vision}class_embedding"],
        "visual.conv1.weight": state[f"{vision}patch_embedding.weight"],
        "visual.positional_embedding": state[f"{vision}position_embedding.weight"],
        "text_projection": state["text_projection.weight"].T,
        "visual.proj": state["visual_projection.weight"].T,
    }
    for kind in ("weight", "bias"):
        renamed[f"ln_final.{kind}"] = state[f"text_model.final_layer_norm.{kind}"]
        renamed[f"visual.ln_pre.{kind}"] = state[f"vision_model.pre_layrnorm.{kind}"]
        renamed[f"visual.ln_post.{kind}"] = state[f"vision_model.post_layernorm.{kind}"]
    return {name: value.contiguous() for name, value in renamed.items()}


def test_what_is_missing_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"preprocessor_config.json, model.safetensors"):
        load(ModelRequest(f"hf:{tmp_path}"))


def test_a_damaged_model_is_one_line(tmp_path: Path) -> None:
    folder = clip(tmp_path / "clip")
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load(ModelRequest(f"hf:{folder}"))


def test_a_text_model_alone_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    folder = clip(tmp_path / "clip")
    BertModel(
        BertConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=32, vocab_size=40
        )
    ).save_pretrained(folder)
    with pytest.raises(EncoderError, match="is a bert, which has no features of texts and images"):
        load(ModelRequest(f"hf:{folder}"))


def test_code_of_the_models_author_is_not_run(tmp_path: Path) -> None:
    folder = clip(tmp_path / "clip")
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "my-own"
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\nclass Model: pass\n"
    )
    with pytest.raises(EncoderError):
        load(ModelRequest(f"hf:{folder}"))
    assert not (tmp_path / "ran").exists()


def test_without_a_network_what_is_missing_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EncoderError, match=r"openai/clip is not on this machine .*config.json") as told:
        load(ModelRequest("hf:openai/clip"))
    assert "hf download openai/clip" in str(told.value.hint)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ModelRequest("hf:"), "neither a folder nor"),
        (ModelRequest("hf:no/such/thing"), "neither a folder nor"),
        (ModelRequest("hf:a/b", pretrained="openai"), "brings its own weights"),
        (ModelRequest("hf:a/b", precision="fp8"), "unknown precision"),
    ],
)
def test_requests_that_mean_nothing_are_refused(request_: ModelRequest, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        backend_of(request_).signature(request_)
