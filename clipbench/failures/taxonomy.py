"""The seven categories of a retrieval failure, and the guide that annotators read.

A failure is a query whose best-scored item is not its own. Knows what the labels mean and how they are
offered; how a written label is recognised is `labels`' business.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSION = 1
"""Raised whenever a category changes its meaning, so that labels of two guides are never mixed."""


@dataclass(frozen=True, slots=True)
class Category:
    """One reason of a failure. `name` is what is stored, `long_name` what papers print.

    brief: in a few words, for a button. question: the test an annotator makes. example: a caption, and
    what the wrong picture shows.
    """

    name: str
    long_name: str
    brief: str
    question: str
    example: str


@dataclass(frozen=True, slots=True)
class Subtype:
    """Why a caption fits both pictures."""

    name: str
    long_name: str
    brief: str
    question: str


AMBIGUOUS = "Ambiguous"
"""The category of captions that fit the retrieved picture as well: no fault of the model."""

CATEGORIES: tuple[Category, ...] = (
    Category(
        AMBIGUOUS,
        "Ambiguous",
        "fits both pictures",
        "Does every word of the caption also fit the retrieved picture?",
        "“A man plays tennis”: both pictures show a man playing tennis.",
    ),
    Category(
        "Object",
        "Object Confusion",
        "another thing, or none",
        "Is a thing or a person of the caption missing, or another kind of thing?",
        "“A dog on a sofa”: the retrieved picture shows a cat on a sofa.",
    ),
    Category(
        "Attribute",
        "Attribute Binding",
        "colour, size, state",
        "Are the things right, and is a colour, size, material or state wrong, or on the wrong thing?",
        "“A red cup beside a blue plate”: the cup is blue and the plate red.",
    ),
    Category(
        "Action",
        "Action / Interaction",
        "does something else",
        "Are the things right, and do they do something else, or do it to something else?",
        "“A girl throws a ball”: the girl sits beside the ball.",
    ),
    Category(
        "Count",
        "Counting / Plurality",
        "wrong number",
        "Is only the number wrong?",
        "“Two horses in a field”: the retrieved picture shows one horse, or five.",
    ),
    Category(
        "Context",
        "Scene / Context",
        "another place or time",
        "Are things and actions right, and is the place, the time or the weather another?",
        "“A bus at night”: the bus stands in daylight.",
    ),
    Category(
        "Spatial",
        "Spatial Relation",
        "the other way round",
        "Is everything there, and does it stand the other way round?",
        "“A lamp left of the bed”: the lamp stands to its right.",
    ),
)
"""In the order in which they are shown. The first question answered with yes, from the top, decides."""

NAMES: tuple[str, ...] = tuple(category.name for category in CATEGORIES)
ACTIONABLE: tuple[str, ...] = tuple(name for name in NAMES if name != AMBIGUOUS)
"""The categories in which the model was wrong."""

UNDERSPECIFIED, NEAR_DUPLICATE, OTHER = "underspecified", "nearduplicate", "other"
SUBTYPES: tuple[Subtype, ...] = (
    Subtype(
        UNDERSPECIFIED,
        "underspecified",
        "says too little",
        "Does the caption say too little to tell the two apart?",
    ),
    Subtype(
        NEAR_DUPLICATE, "near-duplicate", "nearly the same picture", "Are the two pictures nearly the same?"
    ),
    Subtype(OTHER, "other", "fits both, another reason", "Does it fit both for another reason?"),
)
SUBTYPE_NAMES: tuple[str, ...] = tuple(subtype.name for subtype in SUBTYPES)


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing an annotator can press: a key, and the label it gives."""

    key: str
    category: str
    subtype: str | None
    title: str
    brief: str
    question: str


def choices() -> tuple[Choice, ...]:
    """Return the choices in order, keys 1 to 9: Ambiguous once for each subtype, then the others.

    >>> [(c.key, c.title) for c in choices()][:4]
    [('1', 'Ambiguous: underspecified'), ('2', 'Ambiguous: near-duplicate'), ('3', 'Ambiguous: other'), ('4', 'Object')]
    """
    found: list[Choice] = []
    for category in CATEGORIES:
        for subtype in SUBTYPES if category.name == AMBIGUOUS else (None,):
            of = subtype or category
            found.append(
                Choice(
                    key=str(len(found) + 1),
                    category=category.name,
                    subtype=subtype.name if subtype else None,
                    title=f"{AMBIGUOUS}: {subtype.long_name}" if subtype else category.name,
                    brief=of.brief,
                    question=of.question,
                )
            )
    return tuple(found)
