"""Requests for models: what the words mean, and the cheap name of a request."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipbench.encoders import hub_cache
from clipbench.encoders.specification import ModelSpec, parse, signature
from clipbench.errors import EncoderError


def folder_with(path: Path, weights: bytes = b"tensors") -> Path:
    path.mkdir()
    (path / "open_clip_config.json").write_text("{}")
    (path / "open_clip_model.safetensors").write_bytes(weights)
    return path


@pytest.mark.parametrize(
    ("model", "pretrained", "source"),
    [
        ("ViT-B-32", "openai", "tag"),
        ("ViT-B-32", "random:7", "random"),
        ("ViT-B-32", "weights.pt", "file"),
        ("ViT-B-32", "folder/weights", "file"),
        ("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", None, "hub"),
        ("local-dir:here", None, "folder"),
        ("toy", None, "toy"),
        ("ViT-B-32", None, "none"),
    ],
)
def test_the_words_say_where_the_weights_come_from(model: str, pretrained: str | None, source: str) -> None:
    assert parse(model, pretrained).source == source


def test_openais_own_spelling_of_an_architecture_is_understood() -> None:
    assert parse("ViT-B/32", "openai") == ModelSpec("ViT-B-32", "openai")


def test_tags_are_compared_as_open_clip_compares_them() -> None:
    assert parse("ViT-B-32", "LAION2B-s34b-b79k").pretrained == "laion2b_s34b_b79k"


def test_local_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse("local-dir:model").folder == tmp_path / "model"
    assert parse("ViT-B-32", "./w.pt").pretrained == str(tmp_path / "w.pt")


@pytest.mark.parametrize("model", ["hf-hub:org/name", "local-dir:folder", "toy"])
def test_pretrained_beside_a_model_with_its_own_weights_is_refused(model: str) -> None:
    with pytest.raises(EncoderError, match="would be ignored"):
        parse(model, "openai")


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("", None, "empty"),
        ("local-dir: ", None, "no path"),
        ("hf-hub:name-without-organisation", None, "repository"),
        ("hub:org/name", None, "unknown prefix"),
        ("ViT-B-32", "random:x", "no seed"),
        ("ViT-B-32", "random:", "no seed"),
    ],
)
def test_words_that_name_nothing_are_refused(model: str, pretrained: str | None, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        parse(model, pretrained)


@pytest.mark.parametrize("option", [{"precision": "int4"}, {"device": "gpu"}])
def test_an_unknown_precision_or_device_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(EncoderError, match="unknown"):
        parse("ViT-B-32", "openai", **option)


def test_a_folder_given_as_an_architecture_is_told_how_to_type_it(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is a folder") as caught:
        parse(str(tmp_path))
    assert caught.value.hint == f"type --model local-dir:{tmp_path}"


def test_equal_requests_have_equal_signatures_whatever_the_device() -> None:
    assert signature(parse("ViT-B-32", "openai")) == signature(parse("ViT-B/32", "OpenAI", device="cpu"))


def test_signatures_tell_requests_apart() -> None:
    requests = [
        parse("ViT-B-32", "openai"),
        parse("ViT-B-32-quickgelu", "openai"),
        parse("ViT-B-32", "laion2b_e16"),
        parse("ViT-B-32", "openai", precision="bf16"),
        parse("ViT-B-32", "openai", quickgelu=True),
        parse("ViT-B-32", "openai", quickgelu=False),
        parse("ViT-B-32", "random:0"),
        parse("ViT-B-32", "random:1"),
        parse("toy"),
    ]
    assert len({signature(spec) for spec in requests}) == len(requests)


def test_a_local_folders_signature_follows_its_files(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    spec = parse(f"local-dir:{folder}")
    before = signature(spec)
    assert signature(spec) == before
    os.utime(folder / "open_clip_model.safetensors", ns=(1, 1))
    touched = signature(spec)
    (folder / "open_clip_config.json").write_text('{"changed": true}')
    assert len({before, touched, signature(spec)}) == 3


def test_a_checkpoints_signature_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    spec = parse("ViT-B-32", str(path))
    before = signature(spec)
    path.write_bytes(b"three")
    assert signature(spec) != before


def test_a_signature_of_missing_files_is_an_error(tmp_path: Path) -> None:
    for spec in (parse(f"local-dir:{tmp_path / 'none'}"), parse("ViT-B-32", str(tmp_path / "none.pt"))):
        with pytest.raises(EncoderError, match="is not a"):
            signature(spec)


def test_a_hub_models_signature_follows_the_cached_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    spec = parse("hf-hub:org/name")
    before = signature(spec)
    head = tmp_path / "models--org--name" / "refs" / "main"
    head.parent.mkdir(parents=True)
    head.write_text("a" * 40)
    assert signature(spec) != before


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HF_HUB_CACHE": "/c/hub"}, "/c/hub"),
        ({"HF_HOME": "/c"}, "/c/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
    ],
)
def test_the_hub_cache_is_where_its_variables_say(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_cache.hub_folder() == Path(expected)


def test_planning_a_run_imports_no_heavy_library() -> None:
    code = (
        "import sys; from clipbench.encoders.specification import parse, signature;"
        "signature(parse('ViT-B-32', 'openai'));"
        "import clipbench.encoders.loading, clipbench.encoders.toy, clipbench.encoders.images;"
        "print([m for m in ('torch', 'torchvision', 'open_clip', 'timm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
