"""The text operations: each one a function, brought to the common signature, with what is known of it.

Adding one means writing its function and one entry here. The order is the order of every table.
"""

from __future__ import annotations

from functools import partial

from clipbench.perturb import character, controls, sentence, word_edits, word_order
from clipbench.perturb.character_tables import DIACRITICS, HOMOGLYPHS, KEYBOARD, LEET, OCR
from clipbench.perturb.operation import Meaning, TextApply, TextNeed, TextOperation
from clipbench.perturb.signatures import (
    characters_edited,
    cores_replaced,
    counterparts,
    gaps_edited,
    text_drawn,
    words_at_rate,
    words_drawn,
    words_fixed,
    words_with_synonyms,
)
from clipbench.perturb.word_class import Finder, drop, not_nouns, of_class
from clipbench.perturb.word_lists import COLOURS, NUMBERS, SPATIAL, STOP_WORDS
from clipbench.perturb.words import members

RATES = (0.15, 0.2, 0.25, 0.3, 0.35)
"""The five levels of MM-Robustness (Qiu et al. 2024, arXiv 2212.08044)."""

DROPOUT_RATES = (0.1, 0.2, 0.3, 0.4, 0.5)
ONE = (1.0,)

QIU = "Qiu et al. 2024, arXiv 2212.08044"
BELINKOV = "Belinkov & Bisk 2018, arXiv 1711.02173"
EGER = "Eger et al. 2019, arXiv 1903.11508"
BOUCHER = "Boucher et al. 2022, arXiv 2106.09898"
WEI = "Wei & Zou 2019 (EDA), arXiv 1901.11196"
KARIMI = "Karimi et al. 2021 (AEDA), arXiv 2108.13230"
IYYER = "Iyyer et al. 2015, ACL P15-1162"
OCONNOR = "O'Connor & Andreas 2021, arXiv 2106.08367"
YUKSEKGONUL = "Yuksekgonul et al. 2023 (ARO), arXiv 2210.01936"
SHEKHAR = "Shekhar et al. 2017 (FOIL), arXiv 1705.01359"
PARCALABESCU = "Parcalabescu et al. 2022 (VALSE), arXiv 2112.07566"
KAMATH = "Kamath et al. 2023 (What's Up), arXiv 2310.19785"
ALHAMOUD = "Alhamoud et al. 2025 (NegBench), arXiv 2501.09425"
RIBEIRO = "Ribeiro et al. 2020 (CheckList), arXiv 2005.04118"
RADFORD = "Radford et al. 2021 (CLIP), arXiv 2103.00020"
OWN = "clipbench"

TAGGER = 2
"""Version of operations that ask the tagger; 1 took "goes" for a noun."""


def _char(name: str, apply: TextApply, source: str, description: str) -> TextOperation:
    means = "share of the words that can take the edit; one edit in each"
    return TextOperation(name, "char", RATES, apply, "kept", source, means, description)


def _extra(
    name: str,
    apply: TextApply,
    source: str,
    description: str,
    means: str = "share of the words; one edit in each",
) -> TextOperation:
    return TextOperation(name, "char-extra", RATES, apply, "kept", source, means, description)


def _word(
    name: str, apply: TextApply, meaning: Meaning, source: str, means: str, description: str
) -> TextOperation:
    return TextOperation(name, "word", RATES, apply, meaning, source, means, description)


def _order(name: str, apply: TextApply, source: str, description: str, version: int = 1) -> TextOperation:
    return TextOperation(
        name,
        "word-order",
        ONE,
        apply,
        "unclear",
        source,
        "one setting",
        description,
        graded=False,
        version=version,
    )


def _class(
    name: str, find: Finder, meaning: Meaning, source: str, description: str, version: int = 1
) -> TextOperation:
    apply = words_at_rate(partial(drop, find=find))
    means = "share of the words of that class"
    return TextOperation(name, "word-class", ONE, apply, meaning, source, means, description, version=version)


def _control(name: str, apply: TextApply, source: str, description: str) -> TextOperation:
    means = "share of the words that have a counterpart"
    return TextOperation(name, "control", ONE, apply, "changed", source, means, description)


def _sentence(
    name: str, apply: TextApply, meaning: Meaning, source: str, description: str, *needs: TextNeed
) -> TextOperation:
    means = "one setting"
    return TextOperation(
        name, "sentence", ONE, apply, meaning, source, means, description, needs, graded=False
    )


def _truncation(name: str, apply: TextApply, description: str) -> TextOperation:
    means = "share of the words; one word always stays"
    return TextOperation(name, "sentence", (0.5,), apply, "unclear", OWN, means, description)


_CHARACTERS = (
    _char(
        "keyboard",
        characters_edited(*character.substitution(KEYBOARD)),
        BELINKOV,
        "a neighbouring key is hit",
    ),
    _char(
        "ocr", characters_edited(*character.substitution(OCR)), QIU, "a scanner takes one shape for another"
    ),
    _char(
        "char-insert",
        characters_edited(character.letter_sites, character.insert),
        QIU,
        "a random letter is added",
    ),
    _char(
        "char-replace",
        characters_edited(character.letter_sites, character.replace),
        QIU,
        "a letter becomes another one",
    ),
    _char(
        "char-swap",
        characters_edited(character.swap_sites, character.swap),
        BELINKOV,
        "two letters change places",
    ),
    _char(
        "char-delete",
        characters_edited(character.deletion_sites, character.delete),
        QIU,
        "a letter is missing",
    ),
)

_CHARACTER_EXTRAS = (
    _extra(
        "letter-repeat",
        characters_edited(character.letter_sites, character.repeat),
        OWN,
        "a letter is doubled",
    ),
    _extra(
        "homoglyph",
        characters_edited(*character.substitution(HOMOGLYPHS)),
        BOUCHER,
        "a Cyrillic letter that looks the same",
    ),
    _extra("leet", characters_edited(*character.substitution(LEET)), EGER, "a digit shaped like the letter"),
    _extra("diacritic", characters_edited(*character.substitution(DIACRITICS)), EGER, "an accent is added"),
    _extra(
        "space-drop",
        gaps_edited(lambda _gap: ""),
        OWN,
        "two words run together",
        "share of the gaps between words",
    ),
    _extra(
        "space-insert",
        characters_edited(character.inner_sites, character.insert_space),
        OWN,
        "a word is cut in two",
    ),
    _extra(
        "zero-width",
        characters_edited(character.inner_sites, character.insert_zero_width),
        BOUCHER,
        "a zero-width space inside a word",
    ),
    _extra(
        "case",
        characters_edited(character.case_sites, character.flip_case),
        OWN,
        "words in capitals: changes nothing for tokenizers that lower-case, as CLIP's does",
    ),
)

_WORDS = (
    TextOperation(
        "word-dropout",
        "word",
        DROPOUT_RATES,
        words_at_rate(word_edits.dropout),
        "unclear",
        IYYER,
        "probability of each word to be dropped; one word always stays",
        "words are missing",
    ),
    _word(
        "word-swap",
        words_at_rate(word_edits.swap),
        "unclear",
        WEI,
        "exchanges per word (each moves two words); at most one for every two words",
        "pairs of words change places",
    ),
    TextOperation(
        "word-insert",
        "word",
        RATES,
        words_with_synonyms(word_edits.insert),
        "kept",
        WEI,
        "inserted words per word",
        "synonyms of words of the caption appear at random places",
        ("synonyms",),
        version=2,  # 1 wrote "childs" and "frolicing"
    ),
    TextOperation(
        "synonym",
        "word",
        RATES,
        words_with_synonyms(word_edits.replace_synonyms),
        "kept",
        WEI,
        "replaced words per word; at most all words that have a synonym",
        "words are replaced by synonyms",
        ("synonyms",),
        version=2,  # 1 counted a share of the words that have a synonym
    ),
    _word(
        "punctuation-insert",
        words_at_rate(word_edits.insert_punctuation),
        "kept",
        KARIMI,
        "inserted marks per word",
        "punctuation marks appear between words",
    ),
)

_ORDERS = (
    _order("word-shuffle", words_drawn(word_order.shuffle), OCONNOR, "all words in random order"),
    _order(
        "bigram-shuffle",
        words_drawn(partial(word_order.shuffle_blocks, size=2)),
        OCONNOR,
        "pairs of words in random order",
    ),
    _order(
        "trigram-shuffle",
        words_drawn(partial(word_order.shuffle_blocks, size=3)),
        YUKSEKGONUL,
        "groups of three words in random order",
    ),
    _order(
        "local-shuffle",
        words_drawn(partial(word_order.shuffle_within, size=3)),
        YUKSEKGONUL,
        "random order inside groups of three words",
    ),
    _order("word-reverse", words_fixed(word_order.reverse), OWN, "read from the end"),
    _order(
        "noun-adjective-shuffle",
        words_drawn(word_order.shuffle_nouns_and_adjectives),
        YUKSEKGONUL,
        "nouns and adjectives change places among themselves",
        TAGGER,
    ),
    _order(
        "other-word-shuffle",
        words_drawn(word_order.shuffle_all_but_nouns_and_adjectives),
        YUKSEKGONUL,
        "all but nouns and adjectives change places among themselves",
        TAGGER,
    ),
)

_CLASSES = (
    _class("drop-nouns", of_class("noun"), "changed", OCONNOR, "nouns are missing", TAGGER),
    _class("drop-verbs", of_class("verb"), "unclear", OCONNOR, "verbs are missing", TAGGER),
    _class("drop-adjectives", of_class("adjective"), "unclear", OWN, "adjectives are missing, colours too"),
    _class("drop-colours", lambda words: members(words, COLOURS), "unclear", OWN, "colours are missing"),
    _class("drop-numbers", lambda words: members(words, NUMBERS), "unclear", OWN, "numbers are missing"),
    _class(
        "drop-spatial", lambda words: members(words, SPATIAL), "unclear", OWN, "words of place are missing"
    ),
    _class(
        "drop-stop-words",
        lambda words: members(words, STOP_WORDS),
        "kept",
        OCONNOR,
        "function words are missing",
    ),
    _class("keep-nouns", not_nouns, "unclear", OCONNOR, "all but the nouns is missing", TAGGER),
)

_CONTROLS = (
    _control(
        "colour-flip",
        cores_replaced(lambda word: word in controls.FLIPPED_COLOURS, controls.flip_colour),
        SHEKHAR,
        "colours become colours that the caption does not name",
    ),
    _control(
        "number-flip",
        cores_replaced(controls.is_count, controls.flip_number),
        PARCALABESCU,
        "counts become other counts",
    ),
    _control(
        "left-right-flip",
        counterparts(controls.LEFT_RIGHT),
        KAMATH,
        "left becomes right and right left",
    ),
    _control(
        "above-below-flip",
        counterparts(controls.ABOVE_BELOW),
        KAMATH,
        "above becomes below, over under, top bottom, and back",
    ),
    TextOperation(
        "negation",
        "control",
        ONE,
        words_fixed(controls.negate),
        "changed",
        ALHAMOUD,
        "one setting",
        "the caption is denied by one word",
        graded=False,
        version=TAGGER,
    ),
    _control(
        "antonym",
        counterparts(controls.ANTONYMS),
        RIBEIRO,
        "words become their opposites",
    ),
)

_SENTENCES = (
    _sentence("prefix-filler", text_drawn(sentence.add_prefix), "kept", RIBEIRO, "an empty phrase before"),
    _sentence("suffix-filler", text_drawn(sentence.add_suffix), "kept", RIBEIRO, "an empty phrase after"),
    _sentence(
        "irrelevant-sentence",
        text_drawn(sentence.add_unrelated),
        "kept",
        RIBEIRO,
        "an unrelated sentence after",
    ),
    _truncation("truncate-head", words_at_rate(sentence.truncate_head), "the beginning is missing"),
    _truncation("truncate-tail", words_at_rate(sentence.truncate_tail), "the end is missing"),
    _sentence(
        "prompt-template", sentence.fill_template, "kept", RADFORD, "the caption inside a prompt", "template"
    ),
    _sentence(
        "rewrite",
        sentence.rewrite,
        "unclear",
        QIU,
        "captions rewritten by the user: formal, casual, passive, back-translated",
        "rewrites",
    ),
)


TEXT_OPERATIONS: tuple[TextOperation, ...] = (
    *_CHARACTERS,
    *_CHARACTER_EXTRAS,
    *_WORDS,
    *_ORDERS,
    *_CLASSES,
    *_CONTROLS,
    *_SENTENCES,
)
