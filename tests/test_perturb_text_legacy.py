"""The legacy stream equals the plain loop that it stands for."""

import random

import pytest

from clipbench.errors import ClipbenchError
from clipbench.perturb.apply_text import text_perturbation
from clipbench.perturb.legacy import (
    LegacyStream,
    legacy_dropout,
    legacy_perturbation,
    legacy_shuffle,
    legacy_texts,
)
from clipbench.perturb.registry import text_operation

TEXTS = (
    "A black dog runs  through the snow .",
    "Two girls",
    "Hello",
    "a man in a red shirt is climbing a steep rock wall ",
    "one",
    "three children play on a beach near the water",
) * 20


def plain_loop(seed: int, rates: tuple[float, ...]) -> tuple[dict[float, list[str]], random.Random]:
    rng = random.Random(seed)  # noqa: S311 - the study's own generator
    results: dict[float, list[str]] = {}
    for p in rates:
        results[p] = []
        for text in TEXTS:
            words = text.split()
            kept = [word for word in words if rng.random() > p]
            if len(kept) == 0:
                kept.append(rng.choice(words))
            results[p].append(" ".join(kept))
    return results, rng


def plain_shuffle(rng: random.Random) -> list[str]:
    results = []
    for text in TEXTS:
        words = text.split()
        if len(words) > 2:
            rng.shuffle(words)
            results.append(" ".join(words))
        else:
            results.append(text)
    return results


@pytest.mark.parametrize("seed", [42, 7])
@pytest.mark.parametrize("rates", [(0.0, 0.1, 0.2, 0.3, 0.4, 0.5), (0.5,), (0.9, 0.2)])
def test_dropout_equals_the_plain_loop_at_every_rate(seed: int, rates: tuple[float, ...]) -> None:
    expected, _ = plain_loop(seed, rates)
    legacy = LegacyStream(seed, rates)
    assert {rate: list(legacy_dropout(TEXTS, rate, legacy)) for rate in rates} == expected


def test_the_shuffle_is_a_run_of_its_own_with_a_fresh_generator() -> None:
    rng = random.Random(42)  # noqa: S311 - the study's own generator
    assert list(legacy_shuffle(TEXTS)) == plain_shuffle(rng)


def test_what_earlier_versions_stored_continues_the_dropout_generator() -> None:
    _, rng = plain_loop(42, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5))
    assert list(legacy_shuffle(TEXTS, LegacyStream(shuffle="shared"))) == plain_shuffle(rng)


def test_a_rate_depends_on_the_rates_before_it() -> None:
    assert legacy_dropout(TEXTS, 0.5) != legacy_dropout(TEXTS, 0.5, LegacyStream(rates=(0.5,)))


def test_known_words_survive_under_the_seed_of_the_study() -> None:
    # random.Random(42) begins .6394 .0250 .2750 .2232 .7365 .6766 .8922 .0869: at .25 words 2, 4 and 8 go.
    (kept,) = legacy_dropout(TEXTS[:1], 0.25, LegacyStream(rates=(0.25,)))
    assert kept == "A dog through the snow"


def test_a_rate_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ClipbenchError, match=r"not 0\.25"):
        legacy_dropout(TEXTS, 0.25)


def test_a_caption_without_words_stays_empty() -> None:
    assert legacy_dropout(["", "  "], 0.5) == ("", "")


def test_the_parameters_name_all_that_matters() -> None:
    assert LegacyStream().parameters("word-shuffle") == {
        "stream": "legacy",
        "rates": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
        "shuffle": "fresh",
    }


def test_operations_are_taken_by_name_and_others_refused() -> None:
    assert legacy_texts(TEXTS, "word-dropout", 0.3) == legacy_dropout(TEXTS, 0.3)
    assert legacy_texts(TEXTS, "word-shuffle", 1.0) == legacy_shuffle(TEXTS)
    with pytest.raises(ClipbenchError, match="not keyboard"):
        legacy_texts(TEXTS, "keyboard", 0.3)


def test_the_dropout_is_found_again_whatever_the_shuffle_does() -> None:
    keys = {
        legacy_perturbation("word-dropout", 0.3, LegacyStream(shuffle=s)).key for s in ("shared", "fresh")
    }
    assert len(keys) == 1
    keys = {
        legacy_perturbation("word-shuffle", 1.0, LegacyStream(shuffle=s)).key for s in ("shared", "fresh")
    }
    assert len(keys) == 2


def test_the_record_differs_from_that_of_the_operation_itself() -> None:
    own = text_perturbation(text_operation("word-dropout"), 0.3, 42)
    shared = legacy_perturbation("word-dropout", 0.3)
    assert (own.operation, own.level, own.seed) == (shared.operation, shared.level, shared.seed)
    assert own.key != shared.key
