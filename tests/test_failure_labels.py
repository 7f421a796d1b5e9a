"""What people write is recognised with the rule that did it, or refused with what was probably meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.failures.exchange import guarded, missing_columns, unguarded
from clipbench.failures.labels import SUBTYPE_UNUSED, Label, LabelError, is_blank, normalise
from clipbench.failures.taxonomy import ACTIONABLE, AMBIGUOUS, CATEGORIES, NAMES, SUBTYPE_NAMES, choices


@pytest.mark.parametrize("name", NAMES)
def test_a_label_as_the_guide_has_it_needs_no_rule(name: str) -> None:
    assert normalise(name) == Label(name, None)


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)
def test_long_names_mean_their_category_and_say_so(category: object) -> None:
    long_name, name = category.long_name, category.name  # type: ignore[attr-defined]
    found = normalise(long_name)
    assert found is not None
    assert found.category == name
    assert bool(found.rules) == (long_name != name)


@pytest.mark.parametrize(
    ("written", "meant", "why"),
    [
        ("object", "Object", "upper and lower case"),
        (" Object ", "Object", "blanks around it removed"),
        ("CONTEXT\t", "Context", "blanks around it removed, upper and lower case"),
        ("Sptial", "Spatial", "misspelt in a guide"),
        ("sptial relation", "Spatial", "misspelt in a guide"),
        ("action/interaction", "Action", "another name of Action"),
        ("Attribute-Binding", "Attribute", "another name of Attribute"),
    ],
)
def test_other_spellings_are_recognised_by_a_named_rule(written: str, meant: str, why: str) -> None:
    assert normalise(written) == Label(meant, None, (f"category {written!r}: {why}",))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("underspecified", "underspecified"),
        ("underspecific", "underspecified"),
        ("missing_info", "underspecified"),
        ("missing_info\t", "underspecified"),
        ("near_duplicate", "nearduplicate"),
        ("near duplicate", "nearduplicate"),
        ("Near-Duplicate", "nearduplicate"),
        ("other", "other"),
    ],
)
def test_subtypes_that_real_files_hold_are_recognised(written: str, meant: str) -> None:
    found = normalise("Ambiguous", written)
    assert found is not None
    assert found.subtype == meant
    assert bool(found.rules) == (written != "underspecified")


def test_other_is_irregular_in_a_table_and_regular_where_it_was_offered() -> None:
    assert normalise("Ambiguous", "other", offered=True) == Label("Ambiguous", "other")


def test_a_subtype_on_another_category_is_kept_as_written_and_not_counted() -> None:
    found = normalise("Attribute", "missing_info")
    assert found == Label("Attribute", None, (f"subtype 'missing_info' on Attribute: {SUBTYPE_UNUSED}",))


@pytest.mark.parametrize("blank", [None, "", "  ", "\t"])
def test_a_blank_is_no_label(blank: str | None) -> None:
    assert normalise(blank, blank) is None
    assert is_blank(blank)


@pytest.mark.parametrize(
    ("category", "subtype", "told"),
    [
        ("Objekt", "", "is 'Object' meant"),
        ("Ambigous", "", "is 'Ambiguous' meant"),
        ("x", "", "it is one of: Ambiguous, Object"),
        ("Ambiguous", "neardup", "is 'nearduplicate' meant"),
        ("", "underspecified", "no category beside it"),
    ],
)
def test_an_unknown_word_is_an_error_with_a_suggestion(category: str, subtype: str, told: str) -> None:
    with pytest.raises(LabelError, match=told):
        normalise(category, subtype)


@given(st.text(max_size=12), st.text(max_size=12))
def test_every_text_is_a_known_label_or_a_blank_or_an_error(category: str, subtype: str) -> None:
    try:
        found = normalise(category, subtype)
    except LabelError:
        return
    if found is None:
        assert is_blank(category)
        return
    assert found.category in NAMES
    assert found.subtype is None or (found.category == AMBIGUOUS and found.subtype in SUBTYPE_NAMES)


@given(st.sampled_from(NAMES), st.sampled_from(["", " ", "\t"]), st.booleans())
def test_normalising_twice_is_normalising_once(name: str, blank: str, lower: bool) -> None:  # noqa: FBT001, drawn
    found = normalise(blank + (name.lower() if lower else name) + blank)
    assert found is not None
    assert normalise(found.category) == Label(found.category, None)


def test_one_key_for_each_choice_and_every_category_can_be_chosen() -> None:
    offered = choices()
    assert [choice.key for choice in offered] == list("123456789")
    assert {choice.category for choice in offered} == set(NAMES)
    assert len(ACTIONABLE) == 6


@given(st.text(max_size=20))
def test_a_guarded_cell_starts_no_formula_and_comes_back(text: str) -> None:
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    if not text.startswith("'"):
        assert unguarded(guarded(text)) == text


def test_a_table_without_what_tells_its_items_names_the_missing_columns() -> None:
    assert missing_columns(["caption", "category", "idx"]) == ()
    assert missing_columns(["caption", "label"]) == ("category", "idx", "gt_img_idx")
