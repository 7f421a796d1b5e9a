"""Keys hold floats exactly, and what has four decimals by nature keeps the key it always had."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_toys import ENCODER

from clipbench.keys import Json, canonical, digest, rounded
from clipbench.records import Perturbation

DECIMAL = st.integers(-(10**9), 10**9).map(lambda n: n / 10**4)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def values(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Json]:
    leaves = st.none() | st.booleans() | st.integers() | st.text() | floats
    return st.recursive(leaves, lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=8)


def formerly(value: Json) -> str:
    """The canonical JSON of clipbench 0.1, which rounded every float."""

    def plain(part: Json) -> Json:
        if isinstance(part, float):
            short = round(part, 4)
            return int(short) if short == int(short) else short
        if isinstance(part, Mapping):
            return {name: plain(inner) for name, inner in part.items()}
        if isinstance(part, Sequence) and not isinstance(part, str):
            return [plain(inner) for inner in part]
        return part

    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@given(values(DECIMAL))
def test_values_of_four_decimals_are_written_as_before(value: Json) -> None:
    assert canonical(value) == formerly(value)


@given(values(FLOATS))
def test_rounded_values_are_written_as_before(value: Json) -> None:
    assert canonical(rounded(value)) == formerly(value)


@given(FLOATS, FLOATS)
def test_two_floats_have_one_text_only_where_they_are_equal(one: float, other: float) -> None:
    assert float(canonical(one)) == one
    assert (canonical(one) == canonical(other)) is (one == other)


def test_small_floats_and_large_ones_are_exact() -> None:
    assert canonical([1e-5, 4e-5, 0.1 + 0.2, 5.0, -0.0, 1e22]) == (
        "[1e-05,4e-05,0.30000000000000004,5,0,10000000000000000000000]"
    )
    assert digest("run", 1e-5) != digest("run", 4e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_equal_to_nothing_names_nothing(value: float) -> None:
    with pytest.raises(ValueError, match="a key cannot hold"):
        canonical({"a": [value]})


def test_levels_and_preprocessing_have_four_decimals() -> None:
    assert Perturbation("op", "text", 0.1 + 0.2, 0).key == Perturbation("op", "text", 0.3, 0).key
    assert Perturbation("op", "text", 0.3, 0, {"rates": [0.1 + 0.2]}).key == (
        Perturbation("op", "text", 0.3, 0, {"rates": [0.3]}).key
    )
    assert replace(ENCODER, preprocessing={"mean": [0.48145466]}).key == (
        replace(ENCODER, preprocessing={"mean": [0.4815]}).key
    )


def test_a_perturbation_and_an_encoder_keep_the_keys_they_were_stored_under() -> None:
    setting = Perturbation("word-dropout", "text", 0.30000000000000004, 42, {"kept": "at least one"})
    assert setting.key == "perturbation:9aed0c8e7052d4f6f70df7d17ff3af638c016151"
    assert ENCODER.key == "encoder:9ec7df6078f1124d9da2dcd984d07d0bebc84656"
