"""Without a network: what is on this machine, what is missing, and how to fetch it."""

import json
import socket
from pathlib import Path

import pytest

from clipbench.encoders.loading import load
from clipbench.encoders.network import hub_offline, reachable
from clipbench.encoders.offline import Wanted, offline_readiness
from clipbench.encoders.sources import CONFIG, WEIGHTS
from clipbench.encoders.specification import parse
from clipbench.errors import EncoderError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, so that no test depends on what this machine has downloaded."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path / "hub"


def refused(model: str, pretrained: str | None = None) -> EncoderError:
    with pytest.raises(EncoderError) as caught:
        load(parse(model, pretrained, device="cpu"))
    return caught.value


def test_weights_missing_offline_are_named_with_cache_and_command(own_cache: Path) -> None:
    error = refused("ViT-B-32-quickgelu", "openai")
    assert "open_clip_model.safetensors" in error.message
    assert "timm/vit_base_patch32_clip_224.openai" in error.message
    assert str(own_cache) in error.message
    assert "HF_HUB_OFFLINE" in error.message
    assert "hf download timm/vit_base_patch32_clip_224.openai" in (error.hint or "")


def test_a_hub_model_missing_offline_is_named(own_cache: Path) -> None:
    error = refused("hf-hub:org/name")
    assert "open_clip_config.json of org/name" in error.message
    assert "hf download org/name" in (error.hint or "")


def test_weights_by_address_are_looked_up_where_open_clip_puts_them(tmp_path: Path) -> None:
    want = Wanted("weights", ("https://example.org/v1/vit-1234.pt",))
    assert want.found is None
    path = tmp_path / "user" / ".cache" / "clip" / "vit-1234.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert want.found == path


def test_readiness_names_the_files_of_a_cached_hub_model(own_cache: Path) -> None:
    repository = own_cache / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("c0ffee")
    assert offline_readiness(parse("hf-hub:org/name")).ready is False
    snapshot = repository / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    model = {"embed_dim": 1, "vision_cfg": {}, "text_cfg": {}}
    (snapshot / CONFIG).write_text(json.dumps({"model_cfg": model}))
    (snapshot / WEIGHTS[0]).write_bytes(b"")
    found = offline_readiness(parse("hf-hub:org/name"))
    assert found.ready
    assert {path.name for path in found.present} == {CONFIG, WEIGHTS[0]}


def test_readiness_sees_the_tokenizer_and_tower_a_model_needs_besides_its_weights() -> None:
    missing = offline_readiness(parse("xlm-roberta-base-ViT-B-32", "laion5b_s13b_b90k")).missing
    assert [text.partition(" (")[0] for text in missing] == ["weights", "tokenizer", "text tower config"]


def test_readiness_of_a_wrong_folder_says_why(tmp_path: Path) -> None:
    found = offline_readiness(parse(f"local-dir:{tmp_path / 'none'}"))
    assert not found.ready
    assert "is not a folder" in found.missing[0]


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> str:
    """A hub at a port of this machine where nobody listens, and no word of the environment against trying it."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    return address


@pytest.mark.usefixtures("nobody_answers")
def test_with_no_network_what_is_missing_is_told_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    error = refused("ViT-B-32-quickgelu", "openai")
    assert "there is no network" in error.message
    assert "hf download timm/vit_base_patch32_clip_224.openai" in (error.hint or "")
    assert capfd.readouterr() == ("", ""), "nothing was tried again and again"


def test_a_machine_is_reachable_where_it_takes_connections(nobody_answers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert reachable([here])
        assert not reachable([here, nobody_answers])


def test_offline_is_for_the_load_alone() -> None:
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    with hub_offline():
        assert constants.is_offline_mode()
    assert before == constants.HF_HUB_OFFLINE
