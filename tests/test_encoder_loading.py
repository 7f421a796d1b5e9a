"""Loading: the right activation, real weights, the whole identity, and one clear line when it fails."""

import dataclasses
import json
import logging
import os
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from clipbench.encoders import libraries, sources
from clipbench.encoders.loading import load
from clipbench.encoders.openclip import OpenClipEncoder
from clipbench.encoders.specification import parse
from clipbench.encoders.weights import tensors_only, weights_digest
from clipbench.errors import EncoderError

TINY: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}
WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, so that no test depends on what this machine has downloaded."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path / "hub"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model saved as a folder; copied, never changed."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny-model"
    folder.mkdir()
    (folder / sources.CONFIG).write_text(
        json.dumps({"model_cfg": TINY, "preprocess_cfg": {"mean": [0.5] * 3}})
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(open_clip.CLIP(**TINY).state_dict(), folder / WEIGHTS)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "model"))


@pytest.fixture
def tiny_architectures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers `Tiny-T-1` and its QuickGELU twin with open_clip for one test."""
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
    open_clip.factory._MODEL_CONFIGS["Tiny-T-1"] = TINY
    open_clip.factory._MODEL_CONFIGS["Tiny-T-1-quickgelu"] = {**TINY, "quick_gelu": True}


def loaded(model: str | Path, pretrained: str | Path | None = None, **options: Any) -> OpenClipEncoder:
    name = f"local-dir:{model}" if isinstance(model, Path) else model
    encoder = load(parse(name, str(pretrained) if pretrained else None, device="cpu", **options))
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


def refused(model: str | Path, pretrained: str | Path | None = None, **options: Any) -> EncoderError:
    with pytest.raises(EncoderError) as caught:
        loaded(model, pretrained, **options)
    return caught.value


def test_a_folder_gives_an_encoder_that_knows_what_it_is(folder: Path) -> None:
    encoder = loaded(folder)
    identity = encoder.identity
    assert (identity.kind, identity.label, identity.dimension, identity.precision) == (
        "open_clip",
        "model",
        16,
        "fp32",
    )
    assert identity.activation == "image GELU, text GELU"
    assert identity.architecture.startswith("architecture:")
    assert identity.preprocessing["mean"] == [0.5] * 3
    assert identity.preprocessing["size"] == [32, 32]
    assert identity.tokenizer["context_length"] == encoder.text_limit == 24
    assert {"torch", "open_clip_torch"} <= identity.versions.keys()
    assert encoder.trimmed
    assert not encoder.model.training
    assert encoder.notes == ()


def test_identity_is_content_not_path_or_file_format(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copy(folder / sources.CONFIG, other)
    torch.save({"state_dict": load_file(folder / WEIGHTS)}, other / "open_clip_pytorch_model.bin")
    assert loaded(other).identity.key == loaded(folder).identity.key


def test_identity_follows_a_single_weight(folder: Path) -> None:
    before = loaded(folder).identity
    tensors = load_file(folder / WEIGHTS)
    tensors["visual.conv1.weight"][0, 0, 0, 0] += 1e-3
    save_file(tensors, folder / WEIGHTS)
    after = loaded(folder).identity
    assert after.weights != before.weights
    assert after.key != before.key


@pytest.mark.parametrize(
    "change",
    [
        {"quick_gelu": True},
        {"text_cfg": {**TINY["text_cfg"], "heads": 4}},
        {"text_cfg": {**TINY["text_cfg"], "tokenizer_kwargs": {"clean": "canonicalize"}}},
    ],
    ids=["activation", "heads", "cleaning"],
)
def test_identity_follows_what_the_weights_do_not_show(folder: Path, change: dict[str, Any]) -> None:
    before = loaded(folder).identity
    (folder / sources.CONFIG).write_text(
        json.dumps({"model_cfg": {**TINY, **change}, "preprocess_cfg": {"mean": [0.5] * 3}})
    )
    after = loaded(folder).identity
    assert after.weights == before.weights
    assert after.key != before.key


def test_the_digest_of_weights_sees_names_shapes_formats_and_bytes() -> None:
    zero = torch.zeros(2, 3)
    variants = [
        {"a": zero},
        {"b": zero},
        {"a": zero.reshape(3, 2)},
        {"a": zero.to(torch.float16)},
        {"a": zero + 1},
        {"a": zero, "b": zero},
    ]
    assert len({weights_digest(v) for v in variants}) == len(variants)
    two = {
        "x": torch.arange(6.0).reshape(2, 3),
        "y": torch.tensor(1.0),
        "z": torch.tensor([1, 2]).to(torch.bfloat16),
    }
    assert weights_digest(two) == weights_digest(dict(reversed(two.items())))
    assert weights_digest({"x": two["x"].t().contiguous().t()}) == weights_digest({"x": two["x"]})


@pytest.mark.parametrize("quick", [True, False])
def test_the_activation_recorded_is_the_one_that_was_built(folder: Path, *, quick: bool) -> None:
    name = "QuickGELU" if quick else "GELU"
    assert loaded(folder, quickgelu=quick).identity.activation == f"image {name}, text {name}"


# Activations and checkpoints, which say nothing about themselves


@pytest.mark.usefixtures("tiny_architectures")
def test_a_checkpoint_is_built_as_named_and_its_unknown_activation_is_told(folder: Path) -> None:
    plain = loaded("Tiny-T-1", folder / WEIGHTS)
    assert plain.identity.activation == "image GELU, text GELU"
    assert plain.identity.architecture == "Tiny-T-1"
    assert any("--model Tiny-T-1-quickgelu" in note for note in plain.notes)
    quick = loaded("Tiny-T-1-quickgelu", folder / WEIGHTS)
    assert quick.identity.activation == "image QuickGELU, text QuickGELU"
    assert any(
        "trained otherwise: --model" in note and "-quickgelu" not in note.rpartition("--model")[2]
        for note in quick.notes
    )
    assert not any(
        "activation" in note for note in loaded("Tiny-T-1", folder / WEIGHTS, quickgelu=True).notes
    )


def test_stretched_position_embeddings_are_told(folder: Path) -> None:
    config = {**TINY, "vision_cfg": {**TINY["vision_cfg"], "image_size": 64}}
    (folder / sources.CONFIG).write_text(json.dumps({"model_cfg": config}))
    assert "has 5 visual.positional_embeddings and the model 17" in loaded(folder).notes[0]


# Weights that are not there


def test_an_architecture_without_weights_is_refused_with_the_known_tags() -> None:
    error = refused("ViT-B-32")
    assert "random weights" in error.message
    assert "laion2b_s34b_b79k" in error.message


def test_unknown_names_are_refused_with_those_that_exist() -> None:
    assert "ViT-B-32" in refused("ViT-B-33", "openai").message
    assert "laion2b_s34b_b79k" in refused("ViT-B-32", "laion2c").message


def test_a_folder_without_weights_is_refused_not_filled_at_random(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    error = refused(folder)
    assert "has no weights; found open_clip_config.json" in error.message
    assert (
        error.hint
        == "expected open_clip_config.json and open_clip_model.safetensors (or open_clip_pytorch_model.bin)"
    )


def test_a_wrong_folder_is_told_what_was_found_and_what_is_expected(folder: Path, tmp_path: Path) -> None:
    (folder / sources.CONFIG).unlink()
    assert f"has no {sources.CONFIG}; found {WEIGHTS}" in refused(folder).message
    assert "is not a folder" in refused(tmp_path / "none").message
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "found nothing" in refused(empty).message


def test_weights_of_any_name_will_do_but_not_two_of_them(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "mine.safetensors")
    assert loaded(folder).identity.dimension == 16
    shutil.copy(folder / "mine.safetensors", folder / "older.safetensors")
    assert "2 weight files" in refused(folder).message


@pytest.mark.usefixtures("tiny_architectures")
def test_random_weights_come_only_by_name_and_by_seed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    first, same, other = (loaded("Tiny-T-1", f"random:{seed}").identity for seed in (0, 0, 1))
    assert first.key == same.key != other.key
    assert first.label == "Tiny-T-1 (random weights, seed 0)"
    state = torch.random.get_rng_state()
    loaded("Tiny-T-1", "random:5")
    assert torch.equal(torch.random.get_rng_state(), state)


# Weights that are broken, foreign or dangerous


class Bomb:
    """Touches a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (self.path,))


@pytest.mark.usefixtures("tiny_architectures")
@pytest.mark.parametrize("plain", [True, False])
def test_a_checkpoint_that_is_a_program_is_not_run(tmp_path: Path, *, plain: bool) -> None:
    path, witness = tmp_path / "evil.pt", tmp_path / "witness"
    if plain:
        path.write_bytes(pickle.dumps(Bomb(witness), protocol=2))
    else:
        torch.save({"state_dict": Bomb(witness)}, path)
    error = refused("Tiny-T-1", path)
    assert not witness.exists()
    assert "more than tensors" in error.message


def test_even_a_fallback_that_asks_for_everything_gets_only_tensors(tmp_path: Path) -> None:
    path, witness = tmp_path / "evil.pt", tmp_path / "witness"
    torch.save(Bomb(witness), path)
    with tensors_only(), pytest.raises(pickle.UnpicklingError):
        torch.load(path)
    assert not witness.exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


@pytest.mark.usefixtures("tiny_architectures")
@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_archive_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(path)
    error = refused("Tiny-T-1", path)
    assert "TorchScript" in error.message
    assert "--pretrained openai" in (error.hint or "")


def test_a_damaged_file_is_one_clear_line(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    for broken in (data[: len(data) // 2], b"", b"\x00" * 100, data[:4]):
        (folder / WEIGHTS).write_bytes(broken)
        error = refused(folder)
        assert "cannot be loaded" in error.message
        assert "\n" not in error.message


def test_weights_of_another_architecture_are_counted(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors["extra"] = torch.zeros(1)
    del tensors["ln_final.bias"], tensors["ln_final.weight"]
    tensors["text_projection"] = torch.zeros(16, 8)
    save_file(tensors, folder / WEIGHTS)
    assert "2 tensors missing, 1 unexpected, 1 of another shape" in refused(folder).message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "is no JSON file that can be read"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps({"model_cfg": {**TINY, "embed_dim": 10**9}}), "asks for a size of 1e+09"),
        ("[]", "is no open_clip config"),
        ('{"model_cfg": {"embed_dim": 3}}', "is no open_clip config"),
        (json.dumps({"model_cfg": {**TINY, "vision_cfg": {"depth": 3}}}), "cannot be loaded: TypeError"),
    ],
)
def test_a_broken_config_is_one_clear_line(folder: Path, config: str, message: str) -> None:
    (folder / sources.CONFIG).write_text(config)
    error = refused(folder)
    assert message in error.message
    assert "\n" not in error.message


def test_a_config_that_asks_to_run_foreign_code_is_refused(folder: Path) -> None:
    text = {**TINY["text_cfg"], "tokenizer_kwargs": {"trust_remote_code": True}, "hf_tokenizer_name": "a/b"}
    (folder / sources.CONFIG).write_text(json.dumps({"model_cfg": {**TINY, "text_cfg": text}}))
    assert "trust_remote_code" in refused(folder).message


def test_a_config_whose_tokenizer_is_random_is_refused(folder: Path) -> None:
    text = {**TINY["text_cfg"], "tokenizer_kwargs": {"reduction_mask": "random"}}
    (folder / sources.CONFIG).write_text(json.dumps({"model_cfg": {**TINY, "text_cfg": text}}))
    assert "at random" in refused(folder).message


def test_a_tokenizer_of_a_package_that_is_not_installed_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    text = {**TINY["text_cfg"], "hf_tokenizer_name": "a/b"}
    (folder / sources.CONFIG).write_text(json.dumps({"model_cfg": {**TINY, "text_cfg": text}}))
    error = refused(folder)
    assert "needs a package that is not installed" in error.message
    assert error.hint == "pip install transformers"


@pytest.mark.parametrize(
    "failure", [RuntimeError("operator torchvision::nms does not exist"), ImportError("libcudart")]
)
def test_a_torchvision_for_another_torch_is_told_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def broken(name: str) -> None:
        if name == "torchvision":
            raise failure

    monkeypatch.setattr(libraries, "import_module", broken)
    error = refused("ViT-B-32", "openai")
    assert str(failure) in error.message
    assert error.hint == "pip install --force-reinstall torch torchvision"


# Device and precision


def test_a_device_that_is_not_there_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EncoderError, match="there is no cuda device here"):
        load(parse(f"local-dir:{folder}", device="cuda"))


@pytest.mark.parametrize("low", ["bf16", "fp16"])
def test_low_precision_is_another_encoder_close_to_the_first(folder: Path, low: str) -> None:
    full, half = loaded(folder), loaded(folder, precision=low)
    assert half.identity.key != full.identity.key
    assert half.identity.precision == low
    texts = ["a red ball", "two dogs"]
    difference = abs(half.encode_texts(texts).vectors - full.encode_texts(texts).vectors).max()
    assert 0 < difference < 0.03
    assert half.trimmed


@pytest.mark.shared
def test_the_real_model_loads_offline_and_is_described(shared: Path) -> None:
    encoder = loaded(shared / "models" / "flickr8k-lite")
    assert encoder.identity.activation == "image ReLU6, text GELU"
    assert encoder.identity.preprocessing["resize"] == "squash"
    assert (encoder.identity.dimension, encoder.text_limit) == (256, 64)
    assert encoder.trimmed
    assert not encoder.channels_last, "fp32 vectors are those of open_clip's own layout"
    assert loaded(shared / "models" / "flickr8k-lite", precision="bf16").channels_last
    assert dataclasses.replace(encoder.identity, label="x", spec="y").key == encoder.identity.key
