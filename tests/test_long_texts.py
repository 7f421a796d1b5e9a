"""A word of twenty thousand letters, a caption of a million: time grows with the length, and nothing else changes."""

import copy
import random
import string
from collections.abc import Iterator, Mapping, Sequence

import open_clip
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.encoders.byte_pairs import merged
from clipbench.encoders.tokenizing import CACHED_LENGTH, WordCached, tokenizing
from clipbench.perturb.apply_text import perturb_captions
from clipbench.perturb.audit import audit
from clipbench.perturb.difference import mark
from clipbench.perturb.levenshtein import LONGEST, distance
from clipbench.perturb.streams import stream
from clipbench.perturb.text_operations import TEXT_OPERATIONS
from clipbench.perturb.word_edits import swap
from clipbench.perturb.words import target_count
from clipbench.records import Caption

STOCK = open_clip.SimpleTokenizer()
OPERATIONS = [one for one in TEXT_OPERATIONS if one.name != "rewrite"]


def letters(count: int, seed: int = 1, alphabet: str = string.ascii_lowercase) -> str:
    generator = random.Random(seed)  # noqa: S311  # letters, no secret
    return "".join(generator.choice(alphabet) for _ in range(count))


@given(st.text("abcdeimnoprst", min_size=1, max_size=120))
def test_long_words_have_open_clips_tokens(word: str) -> None:
    symbols = "".join(STOCK.byte_encoder[byte] for byte in word.encode())
    assert merged(symbols, STOCK.bpe_ranks) == STOCK.bpe(symbols).split(" ")


@given(st.text(min_size=1, max_size=100))
def test_pieces_of_any_bytes_have_open_clips_tokens(text: str) -> None:
    symbols = "".join(STOCK.byte_encoder[byte] for byte in text.encode())
    assert merged(symbols, STOCK.bpe_ranks) == STOCK.bpe(symbols).split(" ")


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(["a", "b", "ab", "aa", "ba"]), st.sampled_from(["a", "b", "ab", "b</w>", "a</w>"])
        ),
        st.integers(0, 9),
        max_size=12,
    ),
    st.text("ab", min_size=2, max_size=12),
)
def test_any_ranks_are_followed_as_open_clip_follows_them(
    ranks: dict[tuple[str, str], int], word: str
) -> None:
    ordered = {pair: rank for rank, (pair, _) in enumerate(sorted(ranks.items(), key=lambda item: item[1]))}
    tokenizer = copy.copy(STOCK)
    tokenizer.bpe_ranks, tokenizer.cache = ordered, {}
    assert merged(word, ordered) == tokenizer.bpe(word).split(" ")


class Counting(Mapping[tuple[str, str], int]):
    """Ranks that count how often they are asked."""

    def __init__(self, ranks: Mapping[tuple[str, str], int]) -> None:
        self.ranks = ranks
        self.asked = 0

    def __getitem__(self, pair: tuple[str, str]) -> int:
        self.asked += 1
        return self.ranks[pair]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.ranks)

    def __len__(self) -> int:
        return len(self.ranks)


@pytest.mark.parametrize("count", [1_000, 20_000])
@pytest.mark.parametrize("alphabet", [string.ascii_lowercase, "a"])
def test_pairs_are_looked_up_a_few_times_a_letter(count: int, alphabet: str) -> None:
    ranks = Counting(STOCK.bpe_ranks)
    merged(letters(count, alphabet=alphabet), ranks)
    assert ranks.asked <= 6 * count


def test_a_word_of_a_hundred_thousand_letters_is_cut_as_open_clip_cuts_it() -> None:
    fast = tokenizing(STOCK)
    assert isinstance(fast, WordCached)
    long = "see data:image/png;base64," + letters(100_000) + " end"
    tokens = fast([long])
    short = STOCK([long[:2_000]])
    assert tokens.counts[0] > 10_000
    assert tokens.ids[0, :60].tolist() == short[0, :60].tolist()
    assert all(len(word) <= CACHED_LENGTH for word in fast.words)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_operation_takes_a_caption_of_many_words_and_of_one(operation: object) -> None:
    many = " ".join(letters(4 + n % 5, n) for n in range(3_000))
    for text in (letters(30_000), many):
        caption = Caption("a#0", text)
        level = operation.levels[-1]  # type: ignore[attr-defined]
        (after,) = perturb_captions([caption], operation, level, 0)  # type: ignore[arg-type]
        found = audit([(text, after)])
        assert (found.character_edits > 0) == (text != after)


def naive_swap(words: Sequence[str], rate: float) -> list[str]:
    """The rule as it is told: the first position left, and the next one left that holds another word."""
    order = list(range(len(words)))
    stream("swap", 0, "x").shuffle(order)
    swapped = list(words)
    for _ in range(target_count(rate, len(words))):
        other = next((at for at in order[1:] if words[at].lower() != words[order[0]].lower()), None)
        if other is None:
            break
        a = order[0]
        swapped[a], swapped[other] = words[other], words[a]
        order = [at for at in order if at not in {a, other}]
    return swapped


@given(st.lists(st.sampled_from(["a", "A", "b", "c"]), min_size=1, max_size=30), st.floats(0.01, 1))
def test_swaps_are_those_of_the_plain_rule(words: list[str], rate: float) -> None:
    assert swap(words, rate, stream("swap", 0, "x")) == naive_swap(words, rate)


@given(st.integers(0, 50), st.integers(0, 9))
def test_the_distance_of_very_long_texts_is_an_upper_bound(cut: int, seed: int) -> None:
    before = letters(LONGEST + 500, seed)
    after = "x" + before[: 3_000 + cut] + before[3_100 + cut :] + "x"
    exact = 102
    assert exact - 2 <= distance(before, after) <= len(before)


def test_distances_up_to_the_limit_are_exact() -> None:
    before = letters(LONGEST - 1)
    assert distance(before, "x" + before[:100] + before[101:]) <= 2


def test_words_of_very_long_texts_are_marked_from_the_first_difference_to_the_last() -> None:
    before = " ".join(["dog"] * 3_000)
    after = " ".join(["dog"] * 1_000 + ["cat"] + ["dog"] * 1_999)
    old, new = mark(before, after)
    assert [at for at, (_, changed) in enumerate(new) if changed] == [1_000]
    assert sum(changed for _, changed in old) == 1
