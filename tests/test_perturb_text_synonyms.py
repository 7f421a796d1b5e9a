"""Synonyms: the built-in table, and a WordNet of five words in the real format."""

import pytest

from clipbench.errors import InputError
from clipbench.perturb.apply_text import perturb_captions, text_perturbation
from clipbench.perturb.inflect import bases, with_ing, with_s
from clipbench.perturb.registry import text_operation
from clipbench.perturb.resources import TextResources
from clipbench.perturb.synonym_table import NOUNS, OTHERS, VERBS, table_synonyms
from clipbench.perturb.wordnet import FILE_NAMES, IRREGULAR_NOUNS, wordnet_synonyms
from clipbench.records import Caption

LICENCE = "  1 This stands for the licence, whose lines begin with two spaces.\n"


def files() -> dict[str, bytes]:
    """Four parts of speech, synsets at their true byte offsets, as wndb(5WN) describes them."""
    synsets = {
        "noun": [["car", "auto", "motor_car"], ["car", "railcar"], ["child", "kid"], ["wearing", "erosion"]],
        "verb": [["jump", "leap"], ["wear", "don"]],
        "adj": [["big(p)", "Large"]],
        "adv": [["fast", "quickly"]],
    }
    tags = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
    found: dict[str, bytes] = {}
    for part, groups in synsets.items():
        data, index = LICENCE, {}
        for words in groups:
            offset = len(data)
            listed = " ".join(f"{word} 0" for word in words)
            data += f"{offset:08d} 03 {tags[part]} {len(words):02x} {listed} 000 | a gloss  \n"
            for word in words:
                index.setdefault(word.partition("(")[0].lower(), []).append(f"{offset:08d}")
        lines = [
            f"{word} {tags[part]} {len(places)} 1 @ {len(places)} 1 {' '.join(places)}  \n"
            for word, places in sorted(index.items())
        ]
        found[f"data.{part}"] = data.encode()
        found[f"index.{part}"] = (LICENCE + "".join(lines)).encode()
    return found | {IRREGULAR_NOUNS: b"children child\n"}


def test_wordnet_gives_one_word_synonyms_of_the_first_sense() -> None:
    source = wordnet_synonyms(files())
    assert source.lookup("car") == ("auto",)
    assert wordnet_synonyms(files(), senses=2).lookup("car") == ("auto", "railcar")
    assert source.lookup("big") == ("large",)
    assert source.lookup("zebra") == ()


def test_wordnet_follows_inflection_and_takes_participles_for_verbs() -> None:
    source = wordnet_synonyms(files())
    assert source.lookup("cars") == ("autos",)
    assert source.lookup("children") == ("kids",)
    assert source.lookup("jumping") == ("leaping",)
    assert source.lookup("wearing") == ("donning",)  # not "erosion"


def test_wordnet_replaces_words_and_is_named_in_the_perturbation() -> None:
    source = wordnet_synonyms(files())
    resources = TextResources(synonyms=source)
    synonym = text_operation("synonym")
    assert perturb_captions([Caption("x", "A Car !")], synonym, 1, 0, resources) == ("An Auto !",)
    stored = text_perturbation(synonym, 1, 0, resources)
    assert stored.parameters["synonyms"] == source.identity
    assert stored.key != text_perturbation(synonym, 1, 0).key


def test_the_identity_of_wordnet_is_its_content() -> None:
    other = files()
    other["data.adv"] += b"x"
    identities = [wordnet_synonyms(one).identity for one in (files(), other)]
    assert identities[0] != identities[1]


def test_missing_files_are_all_named() -> None:
    with pytest.raises(InputError) as caught:
        wordnet_synonyms({})
    assert [problem.file for problem in caught.value.problems] == list(FILE_NAMES)


@pytest.mark.parametrize(
    "line", ["car", "car n one 1 @ 1 1 00000068", "car n 1 1 @ 1 1 00000001", "car n 2 1 @ 1 1 00000068"]
)
def test_a_broken_index_is_named_with_its_line(line: str) -> None:
    broken = files()
    broken["index.noun"] = f"{LICENCE}{line}\n".encode()
    with pytest.raises(InputError) as caught:
        wordnet_synonyms(broken)
    assert [(p.file, p.line) for p in caught.value.problems] == [("index.noun", 2)]


def entries(table: str) -> list[str]:
    return [entry.strip() for line in table.strip().splitlines() for entry in line.split("|")]


def test_the_table_is_of_some_size_and_no_word_is_its_own_synonym() -> None:
    rows = entries(NOUNS) + entries(VERBS) + entries(OTHERS)
    assert len(rows) > 250
    for row in rows:
        word, synonyms = row.split(":")
        assert synonyms.split(), row
        assert word.strip() not in synonyms.split()
        assert row == row.lower()


@pytest.mark.parametrize("table", [NOUNS, VERBS, OTHERS])
def test_no_word_has_two_rows(table: str) -> None:
    heads = [row.partition(":")[0].strip() for row in entries(table)]
    assert sorted(heads) == sorted(set(heads))


def test_the_table_follows_inflection() -> None:
    assert table_synonyms("dogs") == ("hounds", "canines", "pooches")
    assert table_synonyms("jumping") == ("leaping", "hopping", "bounding")
    assert table_synonyms("carries")[0] == "transports"
    assert table_synonyms("children") == ("kids", "youngsters")
    assert table_synonyms("kids")[0] == "children"
    assert "frolicking" in table_synonyms("playing")


def test_no_synonym_has_a_wrong_ending() -> None:
    regular = {with_s(word)[:-3] + "mans" for word in ("policeman", "horseman", "woman")}
    wrong = {"childs", "gos", "aircrafts", "frolicing", "mans", *regular}
    words = [
        word for table in (NOUNS, VERBS, OTHERS) for entry in entries(table) for word in entry.split(":")[:1]
    ]
    forms = [form(word.strip()) for word in words for form in (str, with_s, with_ing)]
    assert not wrong & {synonym for form in forms for synonym in table_synonyms(form)}


@pytest.mark.parametrize("word", ["dog", "puppy", "beach", "bus", "boy", "horse", "dish"])
def test_a_plural_leads_back_to_its_word(word: str) -> None:
    assert word in bases(with_s(word), "s")


@pytest.mark.parametrize("verb", ["run", "ride", "jump", "play", "sit", "carry", "chase", "swim"])
def test_a_participle_leads_back_to_its_verb(verb: str) -> None:
    assert verb in bases(with_ing(verb), "ing")
