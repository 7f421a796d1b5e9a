"""The registry: every operation is described, found by name, family and preset, and named when near."""

import inspect

import pytest

from clipbench.errors import ClipbenchError
from clipbench.perturb import (
    character,
    controls,
    sentence,
    word_edits,
    word_order,
)
from clipbench.perturb import text_operations as listing
from clipbench.perturb.operation import FAMILIES, TEXT_FAMILIES, Preset, TextOperation
from clipbench.perturb.presets import PRESETS
from clipbench.perturb.registry import image_operation, operation, operations, select, text_operation
from clipbench.perturb.text_operations import TEXT_OPERATIONS

TEXT = TEXT_OPERATIONS


@pytest.mark.parametrize("one", TEXT, ids=lambda one: one.name)
def test_every_text_operation_is_fully_described(one: TextOperation) -> None:
    assert one.family in TEXT_FAMILIES
    assert all([one.source, one.level_means, one.description])
    assert one.meaning in ("kept", "changed", "unclear")
    assert one.levels == tuple(sorted(set(one.levels)))
    assert all(0 < level <= 1 for level in one.levels)
    assert one.graded or one.levels == (1.0,)


def test_names_differ_and_every_text_family_has_operations() -> None:
    names = [one.name for one in operations()]
    assert len(names) == len(set(names))
    assert {one.family for one in TEXT} == set(TEXT_FAMILIES)
    assert {one.family for one in operations()} <= set(FAMILIES)


def test_every_function_that_changes_words_is_registered() -> None:
    """A new operation is one function and one entry: a function without an entry is forgotten work."""
    entries = inspect.getsource(listing)
    for module in (character, word_edits, word_order, controls, sentence):
        short = module.__name__.rpartition(".")[2]
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                assert f"{short}.{name}" in entries, f"{module.__name__}.{name} is in no entry"


def test_an_operation_is_found_by_either_spelling() -> None:
    assert operation("word-dropout") is operation(" Word_Dropout ")


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(ClipbenchError, match=r"'word-dropuot'; did you mean word-dropout"):
        operation("word-dropuot")


def test_text_and_image_operations_are_not_mistaken_for_each_other() -> None:
    assert text_operation("keyboard").name == "keyboard"
    assert image_operation("fog").name == "fog"
    with pytest.raises(ClipbenchError, match="captions, not images"):
        image_operation("keyboard")
    with pytest.raises(ClipbenchError, match="images, not captions"):
        text_operation("fog")


def test_a_family_selects_its_operations_at_their_levels() -> None:
    found = select("family:word-order")
    assert [one.operation.name for one in found] == [o.name for o in TEXT if o.family == "word-order"]
    assert all(one.levels == one.operation.levels for one in found)


def test_several_parts_are_joined_and_the_first_mention_counts() -> None:
    found = select("source-study, keyboard,word-dropout")
    assert [one.operation.name for one in found] == ["word-dropout", "word-shuffle", "keyboard"]
    assert found[0].levels == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def test_unknown_families_and_parts_are_named_with_suggestions() -> None:
    with pytest.raises(ClipbenchError, match="did you mean word-order"):
        select("family:word-ordr")
    with pytest.raises(ClipbenchError, match="did you mean mm-robustness"):
        select("mm-robustnes")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.name)
def test_presets_hold_known_operations_and_none_that_needs_data_from_the_user(preset: Preset) -> None:
    found = select(preset.name)
    assert found
    assert "rewrite" not in {one.operation.name for one in found}
    assert all(one.levels for one in found)


def test_the_mm_robustness_preset_has_its_own_counts() -> None:
    found = select("mm-robustness")
    text = [one for one in found if isinstance(one.operation, TextOperation)]
    assert len(text) == 16 - 5  # five rewrites: formal, casual, passive, active, back-translation
    assert len(found) - len(text) == 17 - 1  # stylize
    assert {one.levels for one in text} == {(0.15, 0.2, 0.25, 0.3, 0.35)}


def test_full_is_everything_but_rewrites() -> None:
    assert {one.operation.name for one in select("full")} == {o.name for o in operations()} - {"rewrite"}


def test_rewrite_is_taken_by_name_alone() -> None:
    assert "rewrite" not in {one.operation.name for one in select("family:sentence")}
    assert select("rewrite")[0].operation.name == "rewrite"
