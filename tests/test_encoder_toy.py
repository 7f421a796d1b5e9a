"""The toy encoder: deterministic, without torch, and better than chance at colours."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipbench.encoders.loading import load
from clipbench.encoders.protocol import Encoder
from clipbench.encoders.specification import parse
from clipbench.encoders.toy import DIMENSION, TEXT_LIMIT, ToyEncoder
from clipbench.errors import EncoderError


def test_the_word_toy_loads_it() -> None:
    encoder: Encoder = load(parse("toy"))
    assert encoder.identity.kind == "toy"
    assert encoder.identity.key == ToyEncoder().identity.key
    assert encoder.notes == ()


@settings(max_examples=50)
@given(st.text(max_size=100))
def test_any_text_has_a_unit_vector_that_depends_on_it_alone(text: str) -> None:
    encoder = ToyEncoder()
    alone = encoder.encode_texts([text]).vectors
    among = encoder.encode_texts(["first", text, "last"]).vectors
    assert np.array_equal(alone[0], among[1])
    assert np.linalg.norm(alone) == pytest.approx(1, abs=1e-6)


def test_shuffling_and_dropping_words_changes_a_text() -> None:
    vectors = ToyEncoder().encode_texts(["a red ball", "ball red a", "a ball"]).vectors
    similarity = vectors @ vectors.T
    assert similarity[0, 1] < 0.9999
    assert similarity[0, 2] < similarity[0, 1]


def test_long_texts_are_cut_and_flagged() -> None:
    words = [f"w{i}" for i in range(TEXT_LIMIT)]
    found = ToyEncoder().encode_texts([" ".join(words[:-2]), " ".join(words)])
    assert found.tokens.tolist() == [TEXT_LIMIT, TEXT_LIMIT + 2]
    assert found.truncated.tolist() == [False, True]
    assert np.array_equal(found.vectors[0], found.vectors[1])


def test_colours_find_one_another() -> None:
    encoder = ToyEncoder()
    names = ("red", "green", "blue", "yellow", "black", "white")
    pixels = np.stack([encoder.prepare(Image.new("RGB", (50, 40), name)) for name in names])
    texts = encoder.encode_texts([f"a {name} square" for name in names]).vectors
    similarity = texts @ encoder.encode_images(pixels).T
    assert similarity.argmax(axis=1).tolist() == list(range(len(names)))


def test_images_of_any_mode_have_unit_vectors() -> None:
    encoder = ToyEncoder()
    for mode in ("RGB", "L", "P", "CMYK", "RGBA", "1"):
        vectors = encoder.encode_images(encoder.prepare(Image.new(mode, (9, 5)))[None])
        assert vectors.shape == (1, DIMENSION)
        assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-6)


def test_pixels_that_were_not_prepared_are_refused() -> None:
    with pytest.raises(EncoderError, match="prepared images"):
        ToyEncoder().encode_images(np.zeros((1, 224, 224, 3), np.uint8))


def test_a_word_is_a_hash_of_its_letters_and_a_little_of_its_place() -> None:
    def bytes_of(word: str) -> np.ndarray:
        data = hashlib.blake2b(word.encode(), digest_size=64).digest()
        return np.array([0, 0, 0, *(byte / 127.5 - 1 for byte in data[3:])])

    by_hand = 0.2 * bytes_of("dog") + 0.05 * bytes_of("0 dog")
    by_hand[-1] += 0.1
    by_hand /= np.linalg.norm(by_hand)
    assert ToyEncoder().encode_texts(["Dog."]).vectors[0] == pytest.approx(by_hand, abs=1e-6)
