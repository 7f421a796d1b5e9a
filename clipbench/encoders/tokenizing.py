"""Turns texts into token ids exactly as open_clip's tokenizer does, and counts what it would cut off.

open_clip's SimpleTokenizer cleans every text with regular expressions in Python and looks each word up
again; here a cache of words does the second and plain ASCII texts skip the first, with equal output.
Whether it is equal is checked when loading; where it is not, the tokenizer itself is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from clipbench.encoders.byte_pairs import merged
from clipbench.errors import EncoderError
from clipbench.keys import Json, digest

CACHED_WORDS = 500_000
"""The cache is emptied beyond this many words (about 100 MB)."""
CACHED_LENGTH = 64
"""Longer words are not cached: they rarely come back."""

# ftfy and html.unescape leave such a text alone: printable ASCII and ordinary white space, no "&".
_UNTOUCHED = re.compile(r"[\t\n\r\x20-\x25\x27-\x7e]*")

PROBES = (
    "a photo of two dogs",
    "A man's  BLACK dog isn't here; they'll play #1 game at 10:30 p.m.!",
    "l’été &amp; naïve café — 東京 🐕‍🦺 &lt;b&gt; ﬁancée ÅÄÖ Ｗide",
    "tab\tnewline\nreturn\rcontrol\x07 escape\x1b[31m \x1f end <start_of_text> <END_OF_TEXT>",
    "",
    "   ",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis 1234567890",
    "word " * 100,
    "taumatawhakatangihangakoauauotamateaturipukakapikimaungahoronukupokaiwhenuakitanatahu" * 2,
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """ids: int64 (n, context length), as the model takes them. counts: int32 (n,), before truncation."""

    ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int32]


class Tokenizing(Protocol):
    """Texts to ids."""

    @property
    def limit(self) -> int:
        """Context length, start and end included."""

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Return the ids and untruncated counts of `texts`."""

    def count(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return only the counts; int32 (n,)."""


@dataclass(frozen=True)
class WordCached:
    """open_clip's SimpleTokenizer with a cache of words."""

    tokenizer: Any
    limit: int
    words: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Return the ids and untruncated counts of `texts`."""
        start, end = self.tokenizer.sot_token_id, self.tokenizer.eot_token_id
        ids = np.zeros((len(texts), self.limit), np.int64)
        counts = np.empty(len(texts), np.int32)
        for row, text in enumerate(texts):
            tokens = [start, *self._encode(text), end]
            counts[row] = len(tokens)
            if len(tokens) > self.limit:
                tokens[self.limit - 1 :] = [end]
            ids[row, : len(tokens)] = tokens
        return Tokens(ids, counts)

    def count(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return only the counts; int32 (n,)."""
        return np.fromiter((len(self._encode(text)) + 2 for text in texts), np.int32, len(texts))

    def _encode(self, text: str) -> list[int]:
        tokens: list[int] = []
        # Cleaned text is single-spaced and no token spans a space, so words can be looked up one by one.
        for word in self._clean(text).split(" "):
            known = self.words.get(word)
            tokens += self._encode_word(word) if known is None else known
        return tokens

    def _encode_word(self, word: str) -> tuple[int, ...]:
        own = self.tokenizer
        pieces = ("".join(own.byte_encoder[b] for b in part.encode()) for part in own.pat.findall(word))
        tokens = tuple(own.encoder[token] for piece in pieces for token in self._merged(piece))
        if len(word) <= CACHED_LENGTH:
            if len(self.words) >= CACHED_WORDS:
                self.words.clear()
            self.words[word] = tokens
        return tokens

    def _merged(self, piece: str) -> list[str]:
        own = self.tokenizer
        # Its own way takes the square of the letters, and keeps every word for ever.
        return own.bpe(piece).split(" ") if len(piece) <= CACHED_LENGTH else merged(piece, own.bpe_ranks)

    def _clean(self, text: str) -> str:
        if _UNTOUCHED.fullmatch(text) and self.tokenizer.clean_fn.__name__ == "_clean_lower":
            return " ".join(text.split()).lower()
        cleaned: str = self.tokenizer.clean_fn(text)
        return cleaned


@dataclass(frozen=True, slots=True)
class Stock:
    """Any open_clip tokenizer as it is. `measure` returns a text's untruncated token count."""

    tokenizer: Any
    limit: int
    measure: Callable[[str], int]

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Return the ids and untruncated counts of `texts`."""
        if not texts:
            return Tokens(np.zeros((0, self.limit), np.int64), np.zeros(0, np.int32))
        return Tokens(self.tokenizer(list(texts)).numpy().astype(np.int64), self.count(texts))

    def count(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return only the counts; int32 (n,)."""
        return np.fromiter((self.measure(text) for text in texts), np.int32, len(texts))


def tokenizing(tokenizer: Any) -> Tokenizing:
    """Return the fast way to use an open_clip tokenizer where its output is equal, else the tokenizer.

    Raises EncoderError for a tokenizer that drops tokens at random, or whose cuts cannot be counted.
    """
    kind = type(tokenizer).__name__
    limit = int(tokenizer.context_length)
    if kind == "SimpleTokenizer":
        if tokenizer.reduction_fn is not None:
            raise EncoderError(
                "the model's tokenizer drops tokens of long texts at random (reduction_mask): "
                "no result with it could be repeated",
                "remove reduction_mask from tokenizer_kwargs in open_clip_config.json",
            )
        fast = WordCached(tokenizer, limit)
        stock = Stock(tokenizer, limit, lambda text: len(tokenizer.encode(text)) + 2)
        return fast if _equal(fast, stock, PROBES) else stock
    if kind == "HFTokenizer":
        special = 3 if tokenizer.tokenizer_mode == "clips" else None
        return Stock(tokenizer, limit, lambda text: _length(tokenizer, tokenizer.clean_fn(text), special))
    if kind == "SigLipTokenizer":
        from open_clip.tokenizer import basic_clean, canonicalize_text

        return Stock(
            tokenizer, limit, lambda text: _length(tokenizer, canonicalize_text(basic_clean(text)), None)
        )
    raise EncoderError(f"tokenizer {kind} is unknown: its truncations could not be counted")


def tokenizer_record(tokenizer: Any) -> Mapping[str, Json]:
    """Return everything that determines the ids: class, cleaning, context length, vocabulary."""
    record: dict[str, Json] = {
        "class": type(tokenizer).__name__,
        "context_length": int(tokenizer.context_length),
        "clean": getattr(getattr(tokenizer, "clean_fn", None), "__name__", "canonicalize").lstrip("_"),
    }
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:
        merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
        record["vocabulary"] = len(tokenizer.encoder)
        record["merges"] = digest("merges", [" ".join(pair) for pair in merges])
        record["special"] = list(tokenizer.all_special_ids)
        return record
    vocabulary = inner.get_vocab()
    record["vocabulary"] = len(vocabulary)
    record["words"] = digest("vocabulary", dict(vocabulary))
    record["backend"] = type(inner).__name__
    if getattr(inner, "is_fast", False):
        rules = json.loads(inner.backend_tokenizer.to_str())
        # Truncation and padding are what the last call happened to ask for.
        kept = {name: part for name, part in rules.items() if name not in {"truncation", "padding"}}
        record["rules"] = digest("rules", json.dumps(kept, sort_keys=True))
    record["mode"] = getattr(tokenizer, "tokenizer_mode", "")
    record["strip_separator"] = bool(getattr(tokenizer, "strip_sep_token", False))
    return record


def _length(tokenizer: Any, cleaned: str, special: int | None) -> int:
    if special is None:
        return len(tokenizer.tokenizer(cleaned, truncation=False).input_ids)
    bare = tokenizer.tokenizer(cleaned, truncation=False, add_special_tokens=False)
    return len(bare.input_ids) + special


def _equal(fast: Tokenizing, stock: Tokenizing, texts: Sequence[str]) -> bool:
    ours, theirs = fast(texts), stock(texts)
    return np.array_equal(ours.ids, theirs.ids) and np.array_equal(ours.counts, theirs.counts)
