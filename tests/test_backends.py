"""What every backend's encoder does alike: unit vectors, order, duplicates, truncation, a stable identity."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipbench.demo import model_folder
from clipbench.encoders.backends import BACKENDS, backend_of, model_help
from clipbench.encoders.protocol import Encoder
from clipbench.encoders.request import ModelRequest
from clipbench.errors import EncoderError

MINE = """
import numpy as np

class Mine:
    version = "1"
    text_limit = 50

    def encode_texts(self, texts):
        return np.array([[len(t) + 1, t.count("a"), t.count("e"), 1.0] for t in texts])

    def encode_images(self, images):
        return np.array([[*np.asarray(i).reshape(-1, 3).mean(0), 1.0] for i in images])

def load():
    return Mine()
"""


@pytest.fixture(scope="module", params=["toy", "local-dir:", "hf:", "python:"])
def request_(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelRequest:
    folder = tmp_path_factory.mktemp("backend")
    if request.param == "toy":
        return ModelRequest("toy")
    if request.param == "local-dir:":
        return ModelRequest(f"local-dir:{model_folder()}", device="cpu")
    if request.param == "python:":
        (folder / "my_encoder_of_all.py").write_text(MINE)
        sys.path.insert(0, str(folder))
        return ModelRequest("python:my_encoder_of_all:load")
    pytest.importorskip("transformers")
    from transformers_toys import clip

    return ModelRequest(f"hf:{clip(folder / 'clip')}", device="cpu")


@pytest.fixture(scope="module")
def encoder(request_: ModelRequest) -> Encoder:
    return backend_of(request_).load(request_)


TEXTS = ["a red shirt", "two dogs", "a man rides his bike", "a red shirt", ""]


def pixels(encoder: Encoder) -> np.ndarray:
    draws = np.random.default_rng(0)
    images = [Image.fromarray(draws.integers(0, 256, (50, 70, 3), dtype=np.uint8)) for _ in range(5)]
    return np.stack([encoder.prepare(image) for image in images])


def test_vectors_have_norm_1_and_the_dimension_that_is_told(encoder: Encoder) -> None:
    for vectors in (encoder.encode_texts(TEXTS).vectors, encoder.encode_images(pixels(encoder))):
        assert vectors.dtype == np.float32
        assert vectors.shape == (5, encoder.identity.dimension)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_equal_texts_have_equal_vectors_and_order_does_not_matter(encoder: Encoder) -> None:
    vectors = encoder.encode_texts(TEXTS).vectors
    assert (vectors[0] == vectors[3]).all()
    backwards = encoder.encode_texts(TEXTS[::-1]).vectors[::-1]
    np.testing.assert_array_equal(vectors, backwards)


def test_images_do_not_depend_on_those_beside_them(encoder: Encoder) -> None:
    whole = encoder.encode_images(pixels(encoder))
    alone = np.concatenate([encoder.encode_images(one[None]) for one in pixels(encoder)])
    np.testing.assert_allclose(alone, whole, atol=1e-5)


def test_prepared_pixels_are_bytes_of_one_size(encoder: Encoder) -> None:
    prepared = pixels(encoder)
    assert prepared.dtype == np.uint8
    assert prepared.shape[-1] == 3
    other = encoder.prepare(Image.new("L", (200, 31), 90))
    assert other.shape == prepared.shape[1:]


def test_long_texts_are_told_apart_from_short_ones(encoder: Encoder) -> None:
    found = encoder.encode_texts(["a dog", "dog " * 300])
    assert found.truncated.tolist() == [False, True]
    counts = encoder.count_tokens(["a dog", "dog " * 300])
    assert counts[1] > encoder.text_limit >= counts[0]


@pytest.mark.parametrize("size", [(1, 1), (20_000, 3), (1, 20_000), (30, 31)])
def test_a_strip_is_prepared_like_any_picture(encoder: Encoder, size: tuple[int, int]) -> None:
    usual = encoder.prepare(Image.new("RGB", (60, 40), (10, 20, 30)))
    strip = encoder.prepare(Image.new("RGB", size, (10, 20, 30)))
    assert strip.shape == usual.shape
    assert np.array_equal(strip, usual)


def test_nothing_to_encode_gives_nothing(encoder: Encoder) -> None:
    assert encoder.encode_texts([]).vectors.shape == (0, encoder.identity.dimension)
    assert encoder.count_tokens([]).shape == (0,)
    assert encoder.encode_images(pixels(encoder)[:0]).shape == (0, encoder.identity.dimension)


def test_a_request_finds_its_encoder_again(request_: ModelRequest, encoder: Encoder) -> None:
    backend = backend_of(request_)
    assert backend.signature(request_) == backend.signature(request_)
    assert backend.load(request_).identity.key == encoder.identity.key


def test_an_unknown_prefix_is_told_with_the_nearest() -> None:
    with pytest.raises(EncoderError, match="unknown prefix") as told:
        backend_of(ModelRequest("pyton:mine:load"))
    assert told.value.hint == "did you mean python:MODULE:FUNCTION?"


def test_every_backend_is_named_in_the_help() -> None:
    assert all(one.usage in model_help() for one in BACKENDS.values())


def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, name: str) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.py").write_text(body)
    request = ModelRequest(f"python:{name}:load")
    with pytest.raises(EncoderError) as told:
        backend_of(request).load(request)
    return str(told.value)


@pytest.mark.parametrize(
    ("number", "old", "new", "message"),
    [
        (1, 'version = "1"', "pass", "declares no version"),
        (2, "def encode_texts", "def encode_words", "has no method encode_texts"),
        (3, 't.count("e"), 1.0]', 't.count("e")]', "different dimensions"),
        (4, '[len(t) + 1, t.count("a"), t.count("e"), 1.0]', "[0, 0, 0, 0]", "no direction for text 0"),
        (5, "return Mine()", "raise RuntimeError('no weights')", "failed: RuntimeError: no weights"),
        (6, "import numpy as np", "import numpie as np", "cannot be imported"),
        (7, "def load", "def make", "has no function 'load'"),
        (8, "for t in texts", "for t in texts[:0]", "gave an array of shape"),
        (9, "np.array([[*np", "np.array([['x', *np", "gave no numbers for images"),
    ],
)
def test_an_encoder_of_ones_own_that_is_wrong_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, old: str, new: str, message: str
) -> None:
    assert old in MINE
    assert message in wrong(tmp_path, monkeypatch, MINE.replace(old, new), f"wrong_encoder_{number}")


def test_another_version_is_another_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = []
    for version in "12":
        (tmp_path / f"versioned_{version}.py").write_text(MINE.replace('"1"', f'"{version}"'))
        request = ModelRequest(f"python:versioned_{version}:load")
        keys.append((backend_of(request).signature(request), backend_of(request).load(request).identity.key))
    assert keys[0][0] != keys[1][0]
    assert keys[0][1] != keys[1][1]
