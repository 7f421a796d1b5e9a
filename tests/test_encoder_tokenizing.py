"""Token ids equal open_clip's own, and what would be cut off is counted."""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.encoders import tokenizing as module
from clipbench.encoders.tokenizing import PROBES, Stock, WordCached, tokenizer_record, tokenizing
from clipbench.errors import EncoderError


@cache
def stock(clean: str = "lower", limit: int = 77) -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(context_length=limit, clean=clean)


@cache
def fast(clean: str = "lower", limit: int = 77) -> WordCached:
    return WordCached(stock(clean, limit), limit)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_the_ids_of_open_clips_tokenizer(text: str) -> None:
    assert np.array_equal(fast()([text]).ids, stock()([text]).numpy())
    assert fast().count([text])[0] == len(stock().encode(text)) + 2


# Pieces that cleaning, the token pattern or byte pairs treat in a special way.
PIECES = (
    *("&amp;", "&amp;amp;", "&lt;", "&#39;", "&eacute;", "&", "<b>", "<start_of_text>", "<END_OF_TEXT>"),
    *(
        "’",
        "“",
        "ﬁ",
        "Ｗ",
        "é",
        "e\u0301",
        "İ",
        "ß",
        "ſ",
        "Σ",
        "ΑΣ",
        "ñ",
        "Ã©",
        "東京",
        "न्",
        "🐕",
        "👩‍👩‍👧",
        "🇫🇷",
    ),
    *("'s", "'S", "'ſ", "'LL", "don't", "10:30", "½", "²", "...", "--", "_", "#tag", "@", "\\"),
    *("\x00", "\x07", "\x1b[31m", "\x1f", "\x7f", "\x85", "\xa0", "\u200b", "\u2028", "\ufeff", "\u3000"),
    *("\t", "\n", "\r", "\r\n", "\v", "\f", " ", "  "),
    *("a", "dog", "DOG", "running", "antidisestablishmentarianism", "x" * 90, "zqxj" * 20),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["", " "]))
def test_entities_emojis_controls_and_long_words_have_the_same_ids(parts: list[str], glue: str) -> None:
    text = glue.join(parts)
    assert np.array_equal(fast()([text]).ids, stock()([text]).numpy())


@pytest.mark.parametrize("clean", ["lower", "whitespace", "canonicalize"])
@pytest.mark.parametrize("limit", [8, 77])
def test_every_way_of_cleaning_and_cutting_is_followed(clean: str, limit: int) -> None:
    ours = fast(clean, limit)(PROBES)
    assert np.array_equal(ours.ids, stock(clean, limit)(list(PROBES)).numpy())


def test_a_text_is_the_same_the_second_time() -> None:
    first = fast()(PROBES)
    assert np.array_equal(fast()(PROBES).ids, first.ids)


def test_counts_are_taken_before_cutting() -> None:
    texts = ["", "dog", "dog " * 75, "dog " * 76, "dog " * 500]
    assert fast().count(texts).tolist() == [2, 3, 77, 78, 502]
    tokens = fast()(texts)
    assert tokens.counts.tolist() == [2, 3, 77, 78, 502]
    # A text that is cut still ends in the end token, which the tower pools at.
    assert tokens.ids[3:, -1].tolist() == [49407, 49407]


def test_no_texts_give_no_ids() -> None:
    for way in (fast(), Stock(stock(), 77, len)):
        assert way([]).ids.shape == (0, 77)


def test_the_cache_of_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHED_WORDS", 10)
    way = WordCached(stock(), 77)
    texts = [f"word{number} other" for number in range(50)]
    assert np.array_equal(way(texts).ids, stock()(texts).numpy())
    assert len(way.words) <= 10
    way(["x" * (module.CACHED_LENGTH + 1)])
    assert "x" * (module.CACHED_LENGTH + 1) not in way.words


def test_the_word_cache_is_used_where_it_is_equal() -> None:
    assert isinstance(tokenizing(stock()), WordCached)


def test_a_tokenizer_whose_tokens_span_words_is_used_as_it_is() -> None:
    import regex
    from open_clip import tokenizer as own

    class SimpleTokenizer(own.SimpleTokenizer):
        """Takes whole texts as one word, spaces included."""

        def __init__(self) -> None:
            super().__init__()
            self.pat = regex.compile(".+")

    way = tokenizing(SimpleTokenizer())
    assert isinstance(way, Stock)
    assert np.array_equal(way(["two dogs"]).ids, SimpleTokenizer()(["two dogs"]).numpy())
    assert way.count(["two dogs"])[0] == np.count_nonzero(way(["two dogs"]).ids)


@pytest.mark.parametrize("mask", ["simple", "random", "shuffle", "syntax"])
def test_a_tokenizer_that_drops_tokens_at_random_is_refused(mask: str) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    with pytest.raises(EncoderError, match="at random"):
        tokenizing(SimpleTokenizer(reduction_mask=mask))


def test_an_unknown_tokenizer_is_refused() -> None:
    class Other:
        context_length = 77

    with pytest.raises(EncoderError, match="Other is unknown"):
        tokenizing(Other())


class HFTokenizer:
    """A stand-in shaped like open_clip's wrapper: one token a word, 1 before and 2 behind, 0 as padding."""

    def __init__(self, mode: str = "") -> None:
        self.context_length = 6
        self.tokenizer_mode = mode
        self.tokenizer = self

    @staticmethod
    def clean_fn(text: str) -> str:
        return " ".join(text.split())

    def get_vocab(self) -> dict[str, int]:
        return {"a": 3}

    def __call__(self, texts: str | list[str], *, add_special_tokens: bool = True, **_: object) -> Any:
        if isinstance(texts, str):
            words = [3] * len(texts.split())
            return SimpleNamespace(input_ids=[1, *words, 2] if add_special_tokens else words)
        rows = [[1, *[3] * min(4, len(text.split())), 2] for text in texts]
        return torch.tensor([row + [0] * (6 - len(row)) for row in rows])


@pytest.mark.parametrize(("mode", "special"), [("", 2), ("clips", 3)])
def test_another_librarys_tokenizer_is_used_as_it_is_and_its_cuts_are_counted(
    mode: str, special: int
) -> None:
    way = tokenizing(HFTokenizer(mode))
    tokens = way(["a", "a  a", "a " * 9])
    assert tokens.ids.tolist() == [[1, 3, 2, 0, 0, 0], [1, 3, 3, 2, 0, 0], [1, 3, 3, 3, 3, 2]]
    assert tokens.counts.tolist() == [1 + special, 2 + special, 9 + special]
    assert tokenizer_record(HFTokenizer(mode))["mode"] == mode


def test_a_tokenizers_record_tells_contents_apart() -> None:
    records = {
        json.dumps(tokenizer_record(stock(clean, limit)), sort_keys=True)
        for clean in ("lower", "whitespace", "canonicalize")
        for limit in (64, 77)
    }
    assert len(records) == 6
    assert tokenizer_record(stock())["vocabulary"] == 49408


@pytest.mark.shared
def test_real_captions_have_the_ids_of_open_clips_tokenizer(shared: Path) -> None:
    flickr = (shared / "data" / "flickr8k" / "Flickr8k.token.txt").read_text(encoding="utf-8").splitlines()
    coco = json.loads((shared / "data" / "coco2017-val" / "captions_5000.json").read_text(encoding="utf-8"))
    texts = [line.split("\t")[1] for line in flickr[::8]]
    texts += [str(text) for text in (coco if isinstance(coco, list) else next(iter(coco.values())))][::10]
    assert len(texts) >= 5000
    ours = fast()(texts)
    assert np.array_equal(ours.ids, stock()(texts).numpy())
    assert ours.counts.tolist() == [len(stock().encode(text)) + 2 for text in texts]
