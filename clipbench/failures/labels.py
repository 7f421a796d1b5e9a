"""What a person wrote, recognised as a label, with the rule that recognised it.

Raw text, normalised label and rules are all kept by whoever calls. Nothing is guessed: a word that no
rule knows is a `LabelError` with the nearest known one, and a blank is no label.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from clipbench.failures.taxonomy import (
    AMBIGUOUS,
    CATEGORIES,
    NAMES,
    NEAR_DUPLICATE,
    OTHER,
    SUBTYPE_NAMES,
    UNDERSPECIFIED,
)

CATEGORY_ALIASES: Mapping[str, str] = {
    "attributebinding": "Attribute",
    "attributes": "Attribute",
    "objectconfusion": "Object",
    "objects": "Object",
    "spatialrelation": "Spatial",
    "spatialrelations": "Spatial",
    "action": "Action",
    "actioninteraction": "Action",
    "interaction": "Action",
    "scenecontext": "Context",
    "scene": "Context",
    "countingplurality": "Count",
    "counting": "Count",
    "plurality": "Count",
    "ambiguity": AMBIGUOUS,
}
"""Other names of the categories, folded as `_fold` does."""

CATEGORY_MISSPELLINGS: Mapping[str, str] = {"sptial": "Spatial", "sptialrelation": "Spatial"}
"""As the guide of the source study has it."""

SUBTYPE_ALIASES: Mapping[str, str] = {
    "underspecific": UNDERSPECIFIED,
    "missinginfo": UNDERSPECIFIED,
    "missinginformation": UNDERSPECIFIED,
    "nearduplicates": NEAR_DUPLICATE,
    "duplicate": NEAR_DUPLICATE,
}

EXACT = "exact"
SURROUNDED = "blanks around it removed"
CASED = "upper and lower case"
PUNCTUATED = "spelt without its hyphen, underscore or blank"
MISSPELT = "misspelt in a guide"
SUBTYPE_UNUSED = "a subtype belongs to Ambiguous only: kept as written, not counted"
SUBTYPE_OTHER = "a subtype the guide does not name: counted as other"
SUBTYPE_ABSENT = "Ambiguous without a subtype"


class LabelError(ValueError):
    """A written label that is none. The message completes "line 3: ..."."""


@dataclass(frozen=True, slots=True)
class Label:
    """A recognised label. `subtype` is None except for Ambiguous.

    rules: how each part was recognised, as "category 'object': upper and lower case"; empty where both
    parts were written as the guide has them.
    """

    category: str
    subtype: str | None
    rules: tuple[str, ...] = ()


def normalise(category: str | None, subtype: str | None = None, *, offered: bool = False) -> Label | None:
    r"""Return the label that the two written words mean, None where both are blank.

    offered: the words were picked from our own choices, among which "other" is one.

    >>> normalise("object")
    Label(category='Object', subtype=None, rules=("category 'object': upper and lower case",))
    >>> normalise("Ambiguous", "missing_info\t").subtype
    'underspecified'

    Raises LabelError for a word that no rule knows, and for a subtype without a category.
    """
    if is_blank(category):
        if is_blank(subtype):
            return None
        raise LabelError(f"the subtype {subtype!r} has no category beside it; is {AMBIGUOUS!r} meant?")
    name, rule = _category(category or "")
    rules = [] if rule == EXACT else [f"category {category!r}: {rule}"]
    if is_blank(subtype):
        return Label(name, None, tuple(rules))
    if name != AMBIGUOUS:
        return Label(name, None, (*rules, f"subtype {subtype!r} on {name}: {SUBTYPE_UNUSED}"))
    found, rule = _subtype(subtype or "")
    if rule != EXACT:
        rules.append(f"subtype {subtype!r}: {rule}")
    elif found == OTHER and not offered:
        rules.append(f"subtype {subtype!r}: {SUBTYPE_OTHER}")
    return Label(name, found, tuple(rules))


def is_blank(text: str | None) -> bool:
    """Return whether there is nothing to read in a cell."""
    return text is None or not text.strip()


def _category(written: str) -> tuple[str, str]:
    long_names = {_fold(c.long_name): c.name for c in CATEGORIES if c.long_name != c.name}
    return _recognised(written, NAMES, {**CATEGORY_ALIASES, **long_names}, CATEGORY_MISSPELLINGS, "category")


def _subtype(written: str) -> tuple[str, str]:
    return _recognised(written, SUBTYPE_NAMES, SUBTYPE_ALIASES, {}, "ambiguous_subtype")


def _recognised(
    written: str,
    names: tuple[str, ...],
    aliases: Mapping[str, str],
    misspellings: Mapping[str, str],
    what: str,
) -> tuple[str, str]:
    """Return the name that a word means and the rule that says so. Raises LabelError with the nearest name."""
    bare = written.strip()
    around = "" if bare == written else f"{SURROUNDED}, "
    if bare in names:
        return bare, around.removesuffix(", ") or EXACT
    by_case = {name.casefold(): name for name in names}
    if bare.casefold() in by_case:
        return by_case[bare.casefold()], around + CASED
    folded = _fold(bare)
    by_fold = {_fold(name): name for name in names}
    if folded in by_fold:
        return by_fold[folded], around + PUNCTUATED
    if folded in aliases:
        return aliases[folded], f"{around}another name of {aliases[folded]}"
    if folded in misspellings:
        return misspellings[folded], around + MISSPELT
    known = {**by_fold, **aliases, **misspellings}
    near = get_close_matches(folded, list(known), n=1, cutoff=0.5)
    meant = f"is {known[near[0]]!r} meant?" if near else f"it is one of: {', '.join(names)}"
    raise LabelError(f"{what} {written!r} is not known; {meant}")


def _fold(text: str) -> str:
    """Return the letters and digits of a word in lower case: `Action / Interaction` is actioninteraction."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[^\w]|_", "", plain)
