"""The bundled model: an ordinary open_clip folder, small, and a subject worth studying."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from clipbench.demo import model_folder
from clipbench.demo.scenes import collection as scenes
from clipbench.demo.scenes.stream import Stream
from clipbench.demo.tiny_model import CONFIG, PREPROCESSING

SPATIAL = ("left", "right", "above", "over", "below", "under")


@dataclass(frozen=True)
class Subject:
    """The loaded model with the vectors of the test split: images (N, D), captions five to an image."""

    model: Any
    tokenizer: Any
    images: npt.NDArray[np.float32]
    captions: tuple[str, ...]

    def encode(self, texts: list[str]) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            parts = self.tokenizer(texts).split(512)
            return torch.cat([self.model.encode_text(part, normalize=True) for part in parts]).numpy()

    def recall(self, change: Callable[[str], str] = str) -> float:
        """Return R@1 from text to image: how often the top image is the caption's own."""
        scores = self.encode([change(text) for text in self.captions]) @ self.images.T
        return float(np.mean(scores.argmax(axis=1) == np.arange(len(self.captions)) // 5))


def dropped(text: str, rate: float = 0.5) -> str:
    stream = Stream("drop", text)
    words = text.split()
    return " ".join([word for word in words if stream.unit() > rate] or words[:1])


def shuffled(text: str) -> str:
    return " ".join(Stream("shuffle", text).shuffled(text.split()))


def spatially_shuffled(text: str) -> str:
    """Put a random spatial word in the place of each: above for left, say, or right for left."""
    stream = Stream("spatial", text)
    return " ".join(stream.pick(SPATIAL) if word in SPATIAL else word for word in text.split())


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = f"local-dir:{model_folder()}"
    model, _, preprocess = open_clip.create_model_and_transforms(folder)
    data = scenes.read(scenes.draw(tmp_path_factory.mktemp("scenes"), "test").parent, "test")
    home = data.image_folder
    assert home is not None
    pixels = torch.stack([preprocess(Image.open(home / str(sample.path))) for sample in data.samples])
    with torch.no_grad():
        images = torch.cat([model.eval().encode_image(part, normalize=True) for part in pixels.split(64)])
    captions = tuple(caption.text for caption in data.captions)
    return Subject(model, open_clip.get_tokenizer(folder), images.numpy(), captions)


def test_the_folder_is_small_enough_to_ship() -> None:
    files = {path.name: path.stat().st_size for path in model_folder().iterdir()}
    assert set(files) == {"open_clip_config.json", "open_clip_model.safetensors", "TRAINING.md"}
    assert sum(files.values()) <= 6_000_000


def test_the_folder_says_what_the_script_would_write() -> None:
    written = json.loads((model_folder() / "open_clip_config.json").read_text())
    assert written == {"model_cfg": CONFIG, "preprocess_cfg": PREPROCESSING}


def test_words_never_seen_in_training_are_zero() -> None:
    table = load_file(model_folder() / "open_clip_model.safetensors")["token_embedding.weight"].float()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{model_folder()}")
    texts = [caption.text for scene in scenes.plan("test") for caption in scene.captions]
    seen = torch.unique(tokenizer(texts))
    used = torch.nonzero(table.abs().sum(dim=1)).flatten()
    assert set(seen.tolist()) <= set(used.tolist())
    assert len(used) < 200


def test_plain_open_clip_loads_it_as_a_causal_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the model is local")

    monkeypatch.setattr("socket.socket.connect", refuse)
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{model_folder()}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{model_folder()}")
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}
    assert tokenizer.context_length == CONFIG["text_cfg"]["context_length"]
    # Causal and pooled at the end of text: what follows the end cannot matter.
    tokens = tokenizer(["A red ball left of a blue box."])
    changed = torch.where(torch.arange(tokens.shape[1]) > tokens.argmax(), 7, tokens)
    with torch.no_grad():
        torch.testing.assert_close(model.eval().encode_text(tokens), model.encode_text(changed))


def test_every_caption_fits_into_the_context() -> None:
    tokenizer = open_clip.get_tokenizer(f"local-dir:{model_folder()}")
    texts = [caption.text for scene in scenes.plan("test") for caption in scene.captions]
    assert (tokenizer(texts)[:, -1] == 0).all()


@pytest.mark.slow
def test_clean_retrieval_is_neither_trivial_nor_hopeless(subject: Subject) -> None:
    assert 0.35 <= subject.recall() <= 0.85


@pytest.mark.slow
def test_dropping_half_of_the_words_costs_a_lot(subject: Subject) -> None:
    assert subject.recall(dropped) < 0.6 * subject.recall()


@pytest.mark.slow
def test_the_order_of_the_words_matters(subject: Subject) -> None:
    clean = subject.recall()
    assert subject.recall(shuffled) < clean - 0.03
    assert subject.recall(spatially_shuffled) < clean - 0.01
