"""`clipbench models`, extras and what a newcomer is advised: names that exist, and no model that knows nothing."""

import json
import tomllib
from pathlib import Path

import pytest
from cli_toys import added, cli, good, refused

from clipbench.demo import model_folder
from clipbench.encoders.machine import USUAL, known_names, matching
from clipbench.study.installation.health import EXTRAS

ROOT = Path(__file__).parent.parent


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a model below it, and caches with one model of each kind and one without weights."""
    here = tmp_path / "work"
    (here / "models" / "mine").mkdir(parents=True)
    (here / "models" / "mine" / "open_clip_config.json").write_text("{}")
    (here / "models" / "mine" / "open_clip_model.safetensors").write_bytes(b"0" * 1000)
    hub = tmp_path / "hub"
    kept(hub, "org/clip", "open_clip_config.json", "open_clip_model.safetensors")
    kept(hub, "org/half", "open_clip_config.json")
    kept(hub, "org/siglip", "config.json", "preprocessor_config.json", "model.safetensors")
    kept(hub, "timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors")
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(here)
    return here


def kept(hub: Path, name: str, *files: str) -> None:
    folder = hub / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    for file in files:
        (folder / "snapshots" / "abc" / file).write_bytes(b"{}" if file.endswith("json") else b"0" * 2000)


def test_what_is_on_the_machine_is_listed_with_its_size(machine: Path) -> None:
    here, usual = good("models", "--json").json
    found = {(row["model"], row["pretrained"]): row["bytes"] for row in here["rows"]}
    size = (model_folder() / "open_clip_model.safetensors").stat().st_size
    assert found == {
        ("local-dir:models/mine", None): 1000,
        ("hf-hub:org/clip", None): 2000,
        ("hf:org/siglip", None): 2000,
        ("ViT-B-32-quickgelu", "openai"): 2000,
        ("demo", None): size,
    }
    assert [row["model"] for row in usual["rows"]] == [one.model for one in USUAL]
    assert "knows drawn scenes only" in good("models").out


def test_a_word_finds_names_and_near_misses(machine: Path) -> None:
    here, names = good("models", "clip", "--json").json
    assert [row["model"] for row in here["rows"]] == ["hf-hub:org/clip"]
    assert {"model": "MobileCLIP-S1", "pretrained": "datacompdr"} in names["rows"]
    assert "ViT-B-32-SigLIP2-256" in good("models", "VIT-B-32-SigLp2").out
    assert "nothing like it" in good("models", "zzzzzzzz").out
    everything = good("models", "--all", "--json").json[1]["rows"]
    assert len(everything) == len(known_names()) > 100


def test_usual_names_exist_and_are_typed_with_the_right_activation() -> None:
    names = known_names()
    assert [one for one in USUAL if (one.model, one.pretrained) not in names] == []
    assert ("ViT-B-32", "openai") not in names  # its weights were trained with QuickGELU
    assert matching("openai", names)[0] == ("RN50-quickgelu", "openai")


def test_errors_about_models_name_near_ones_and_the_command_that_lists_them(
    machine: Path, tmp_path: Path
) -> None:
    name = added(tmp_path)
    told = refused("evaluate", name, "--model", "ViT-B-23", "--pretrained", "openai")
    assert "similar: ViT-B-32" in told
    assert "clipbench models ViT-B-23" in told
    told = refused("evaluate", name, "--model", "ViT-B-32", "--pretrained", "opanai")
    assert "clipbench models ViT-B-32" in told
    told = refused("evaluate", name, "--model", "local-dir:models/mne")
    assert "beside it: mine" in told


def test_nobody_is_sent_to_the_demo_model_with_photographs(tmp_path: Path) -> None:
    from cli_toys import collection

    file = collection(tmp_path)
    added_now = cli("dataset", "add", "mine", "--captions", file, "--images", tmp_path / "photos")
    assert "--model demo" not in added_now.err
    assert "clipbench models" in added_now.err
    assert "demo knows only drawn scenes" in cli("embed", "mine", "--model", "demo").err
    assert {
        row["model"]
        for row in good("report", "--query", "SELECT model FROM embeddings", "--json").json["rows"]
    } == {"demo"}


def test_extras_are_those_of_the_project_and_named_by_doctor_and_readme(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from clipbench.study.installation import health

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {name: tuple(_package(line) for line in lines) for name, lines in project.items()}
    assert {name: packages for name, (packages, _) in EXTRAS.items()} == {
        name: packages for name, packages in wanted.items() if name not in {"dev", "bench", "docs"}
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`'clipbench[{name}]'`" in readme for name in EXTRAS)
    monkeypatch.setattr(health, "installed_version", lambda name: None if name == "matplotlib" else "1")
    told = {one.name: one.detail for one in health.extras()}
    assert told["extra: plots"] == "not installed (matplotlib), for figures: pip install 'clipbench[plots]'"
    assert told["extra: parquet"] == "for Parquet tables"
    assert json.dumps(told)


def _package(line: str) -> str:
    return line.split(">", maxsplit=1)[0].split("<", maxsplit=1)[0].strip()
