"""What a request really means: the activation its weights were trained with, and their preprocessing."""

from pathlib import Path

import open_clip
import pytest

from clipbench.encoders import resolution
from clipbench.encoders.resolution import architecture_name, known_origin, resolve
from clipbench.encoders.specification import ModelSpec, parse
from clipbench.errors import EncoderError


def test_an_equal_configuration_has_open_clips_name() -> None:
    config = open_clip.get_model_config("ViT-B-32")
    assert architecture_name(config, "local-dir:x") == "ViT-B-32"
    assert architecture_name({**config, "quick_gelu": True}, "x") == "ViT-B-32-quickgelu"
    assert architecture_name({**config, "quick_gelu": False}, "x") == "ViT-B-32"
    assert architecture_name({**config, "embed_dim": 3}, "x").startswith("architecture:")


def test_openai_weights_are_loaded_into_the_quickgelu_architecture() -> None:
    found = resolve(parse("ViT-B-32", "openai"))
    assert (found.model, found.pretrained) == ("ViT-B-32-quickgelu", "openai")
    assert "QuickGELU" in found.notes[0]


def test_every_published_weight_gets_the_activation_it_was_trained_with() -> None:
    for model, tag in open_clip.list_pretrained():
        found = resolve(ModelSpec(model, tag))
        if open_clip.get_pretrained_cfg(model, tag).get("quick_gelu"):
            assert open_clip.get_model_config(found.model)["quick_gelu"]
        else:
            assert found.model == model


def test_weights_that_need_quickgelu_are_refused_where_there_is_no_such_architecture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = [name for name in open_clip.list_models() if name != "ViT-B-32-quickgelu"]
    monkeypatch.setattr(open_clip, "list_models", lambda: models)
    with pytest.raises(EncoderError, match="has no ViT-B-32-quickgelu") as caught:
        resolve(parse("ViT-B-32", "openai"))
    assert "quick_gelu" in (caught.value.hint or "")
    assert resolve(parse("ViT-B-32", "openai", quickgelu=True)).overrides == {"quick_gelu": True}


def test_an_activation_against_the_weights_is_obeyed_and_told() -> None:
    found = resolve(parse("ViT-B-32", "openai", quickgelu=False))
    assert found.overrides == {"quick_gelu": False}
    assert "not the model's" in found.notes[0]
    assert resolve(parse("ViT-B-32-quickgelu", "openai", quickgelu=True)).notes == ()


def test_plain_gelu_weights_in_a_quickgelu_architecture_are_refused() -> None:
    with pytest.raises(EncoderError) as caught:
        resolve(parse("ViT-B-32-quickgelu", "laion2b_s34b_b79k"))
    assert "--model ViT-B-32 --pretrained laion2b_s34b_b79k" in (caught.value.hint or "")


def test_a_published_file_is_recognised_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "renamed.pt"
    path.write_bytes(b"")
    assert known_origin(path, "ViT-B-32") is None
    url = open_clip.get_pretrained_cfg("ViT-B-32", "laion400m_e32")["url"]
    assert "quickgelu" in url
    digest = Path(url).stem.rpartition("-")[2] + "0" * 56
    monkeypatch.setattr(resolution, "file_digest", lambda _: digest)
    assert known_origin(path, "ViT-B-32") in {
        ("ViT-B-32", "laion400m_e32"),
        ("ViT-B-32-quickgelu", "laion400m_e32"),
    }
    found = resolve(parse("ViT-B-32", str(path)))
    assert (found.model, found.pretrained) == ("ViT-B-32-quickgelu", str(path))
    assert "published file of laion400m_e32" in found.notes[0]


def test_a_checkpoint_gets_the_preprocessing_of_its_architectures_published_weights(tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"")
    siglip = resolve(parse("ViT-B-16-SigLIP", str(path)))
    assert siglip.overrides["image_mean"] == (0.5, 0.5, 0.5)
    assert siglip.overrides["image_resize_mode"] == "squash"
    assert "kinds of preprocessing" in resolve(parse("ViT-L-14", str(path))).notes[0]
