"""Synonyms from the user's own copy of WordNet, out of the contents of its database files.

The files are those of WordNet 3.x's `dict` folder: an index and a data file for each part of speech.
Format: the manual page wndb(5WN). No tagger stands before it: a word is taken in the part of speech
that has most senses seen in tagged text, and in its first sense there; the second is often a wild one
(the second sense of "dog" is a dull girl). Where the files lie is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b

from clipbench.errors import InputError, Problem
from clipbench.keys import Json
from clipbench.perturb.inflect import bases, with_ing, with_s
from clipbench.perturb.resources import SynonymSource
from clipbench.perturb.word_lists import ADJECTIVES, NOUN_EXCEPTIONS

PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
FILE_NAMES = tuple(f"{kind}.{part}" for part in PARTS_OF_SPEECH for kind in ("index", "data"))
IRREGULAR_NOUNS = "noun.exc"
"""Irregular plurals, `children child` on a line; used where the file is there."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A lemma in one part of speech: where its synsets are, commonest first."""

    part: str
    tagged_senses: int
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class _WordNet:
    index: Mapping[str, tuple[_Entry, ...]] = field(repr=False)
    data: Mapping[str, bytes] = field(repr=False)
    irregular: Mapping[str, str] = field(repr=False)
    senses: int

    def synonyms(self, word: str) -> tuple[str, ...]:
        """Return the one-word synonyms of a lower-case word, in its inflection."""
        # "wearing" is in WordNet as a noun too (erosion); captions mean the verb.
        verbs = self._bases(word, "ing", ("verb",)) if word not in NOUN_EXCEPTIONS else []
        if verbs:
            return self._of_bases(verbs, with_ing)
        if word in self.index:
            parts = ("adj",) if word in ADJECTIVES else PARTS_OF_SPEECH
            return self._of_bases(self._entries(word, parts) or self._entries(word, PARTS_OF_SPEECH), str)
        return self._of_bases(self._bases(word, "s", ("noun", "verb")), with_s)

    def _entries(self, lemma: str, parts: tuple[str, ...]) -> list[tuple[str, _Entry]]:
        return [(lemma, entry) for entry in self.index.get(lemma, ()) if entry.part in parts]

    def _bases(self, word: str, ending: str, parts: tuple[str, ...]) -> list[tuple[str, _Entry]]:
        irregular = self.irregular.get(word) if ending == "s" else None
        forms = [irregular] if irregular else bases(word, ending)
        return [found for form in forms for found in self._entries(form, parts)]

    def _of_bases(self, entries: list[tuple[str, _Entry]], inflect: Callable[[str], str]) -> tuple[str, ...]:
        """Return the synonyms of the entry that tagged text knows best, the first of equals, inflected."""
        if not entries:
            return ()
        lemma, entry = max(entries, key=lambda one: one[1].tagged_senses)
        found: dict[str, None] = {}
        for offset in entry.offsets[: self.senses]:
            found.update(dict.fromkeys(_lemmas(self.data[entry.part], offset)))
        return tuple(inflect(one) for one in found if one != lemma and one.isalpha())


def wordnet_synonyms(files: Mapping[str, bytes], senses: int = 1) -> SynonymSource:
    """Return the synonyms in the contents of WordNet's files, by their names ("index.noun", ...).

    senses: how many senses of a word count; 1 for the commonest alone. Its identity is the digest of
    the contents. Raises InputError with every file that is missing or is no such file.
    """
    problems = [Problem(name, 0, "missing") for name in FILE_NAMES if name not in files]
    index: dict[str, tuple[_Entry, ...]] = {}
    for part in PARTS_OF_SPEECH if not problems else ():
        name = f"index.{part}"
        for number, line in enumerate(files[name].decode("ascii", "replace").splitlines(), start=1):
            if line.startswith("  "):  # the licence
                continue
            try:
                lemma, entry = _entry(part, line, files[f"data.{part}"])
            except (ValueError, IndexError):
                problems.append(Problem(name, number, "not a line of a WordNet index"))
                break
            if "_" not in lemma:
                index[lemma] = (*index.get(lemma, ()), entry)
    if problems:
        raise InputError("WordNet", problems, "name the `dict` folder of a WordNet 3.x download")
    hasher = blake2b(digest_size=20)
    for name in (*FILE_NAMES, IRREGULAR_NOUNS):
        hasher.update(blake2b(files.get(name, b"")).digest())
    identity: dict[str, Json] = {
        "source": "wordnet",
        "version": 2,
        "files": hasher.hexdigest(),
        "senses": senses,
    }
    data = {part: files[f"data.{part}"] for part in PARTS_OF_SPEECH}
    lines = files.get(IRREGULAR_NOUNS, b"").decode("ascii", "replace").splitlines()
    irregular = {fields[0]: fields[1] for fields in map(str.split, lines) if len(fields) > 1}
    return SynonymSource(identity, cache(_WordNet(index, data, irregular, senses).synonyms))


def _entry(part: str, line: str, data: bytes) -> tuple[str, _Entry]:
    """Read `lemma pos synset_cnt p_cnt [symbol...] sense_cnt tagsense_cnt offset...`."""
    fields = line.split()
    synsets, pointers = int(fields[2]), int(fields[3])
    offsets = tuple(map(int, fields[6 + pointers :]))
    if len(offsets) != synsets or not all(_is_synset(data, offset) for offset in offsets):
        raise ValueError("the offsets are not those of the data file")
    return fields[0], _Entry(part, int(fields[5 + pointers]), offsets)


def _is_synset(data: bytes, offset: int) -> bool:
    """Tell whether a synset starts here: its line repeats the offset in eight digits."""
    return data[offset : offset + 8] == b"%08d" % offset


def _lemmas(data: bytes, offset: int) -> list[str]:
    """Read the words of `offset file type w_cnt word lex_id [word lex_id...] ...`; w_cnt is hexadecimal."""
    end = data.find(b"\n", offset)
    fields = data[offset : end if end >= 0 else len(data)].decode("ascii", "replace").split()
    words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    return [word.partition("(")[0].lower() for word in words]  # adjectives carry markers such as (p)
