"""The audit: exact edit distances, micro and mean rates, and what cannot be counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.perturb.audit import TokenCounts, audit
from clipbench.perturb.difference import mark
from clipbench.perturb.levenshtein import distance

letters = st.text("abc ", max_size=12)
long_texts = st.text("ab", min_size=60, max_size=140)


def table_distance(a: str, b: str) -> int:
    """The textbook table (Wagner & Fischer 1974), as an oracle."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


@given(letters, letters)
def test_the_distance_is_that_of_the_textbook_table(a: str, b: str) -> None:
    assert distance(a, b) == table_distance(a, b)


@given(long_texts, long_texts)
def test_the_distance_holds_beyond_64_places(a: str, b: str) -> None:
    assert distance(a, b) == table_distance(a, b)


def test_rates_are_worked_out_over_all_captions_and_per_caption() -> None:
    pairs = [("a red ball", "a ball"), ("two dogs", "two dogs"), ("big cat", "bag cot")]
    found = audit(pairs)
    assert (found.captions, found.changed) == (3, 2)
    # Words: 3 + 2 + 2 = 7; edits: 1 + 0 + 2 = 3. Characters: 10 + 8 + 7 = 25; edits: 4 + 0 + 2 = 6.
    assert found.changed_rate == pytest.approx(2 / 3)
    assert found.word_error_rate == pytest.approx(3 / 7)
    assert found.character_error_rate == pytest.approx(6 / 25)
    assert found.mean_word_error_rate == pytest.approx((1 / 3 + 0 + 2 / 2) / 3)
    assert found.mean_character_error_rate == pytest.approx((4 / 10 + 0 + 2 / 7) / 3)


def test_captions_without_words_are_counted_and_not_averaged() -> None:
    found = audit([("", "now"), ("  ", "  "), ("a dog", "a cat")])
    assert (found.wordless, found.blank) == (2, 1)
    assert found.mean_word_error_rate == pytest.approx(1 / 2)
    assert found.word_error_rate == pytest.approx(2 / 2)


def test_nothing_to_count_is_none_and_not_zero() -> None:
    found = audit([])
    assert found.changed_rate is found.word_error_rate is found.mean_character_error_rate is None
    assert found.token_ratio is None


def test_a_change_of_whitespace_is_a_change_without_word_errors() -> None:
    found = audit([("a  dog", "a dog")])
    assert (found.changed, found.word_edits, found.character_edits) == (1, 0, 1)


def test_token_counts_come_from_the_caller() -> None:
    found = audit([("a dog", "a dgo")], TokenCounts(before=4, after=6, truncated_before=0, truncated_after=1))
    assert found.token_ratio == 1.5


@given(letters, letters)
def test_marks_keep_every_word_and_agree_on_the_unmarked_ones(a: str, b: str) -> None:
    before, after = mark(a, b)
    assert [word for word, _ in before] == a.split()
    assert [word for word, _ in after] == b.split()
    assert [w for w, changed in before if not changed] == [w for w, changed in after if not changed]


def test_equal_texts_have_no_mark() -> None:
    before, after = mark("a dog runs", "a dog runs")
    assert not any(changed for _, changed in (*before, *after))
