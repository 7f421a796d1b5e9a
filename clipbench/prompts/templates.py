"""Prompt templates: a caption goes where `{}` stands. Ours, with the source of each idea.

A caption's text is kept as it is: nothing is lower-cased, trimmed or rewritten. There is one rule more: where
a template goes on after `{}`, the caption's one final full stop is left out, so that no sentence ends twice.
Knows no model and no score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.errors import ClipbenchError
from clipbench.tabular.text import split_lines

SLOT = "{}"
PLAIN = SLOT
"""The template that changes nothing: the caption alone."""


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """Some templates under a name. `idea` says where the idea comes from; `category` is the failure
    category they are meant for, None where they are meant for every caption.
    """

    name: str
    templates: tuple[str, ...]
    idea: str
    category: str | None = None


_BASE = (PLAIN, "a photo of {}", "an image of {}", "describing the image: {}", "{}. close-up view.")

_STUDIED: Mapping[str, tuple[str, ...]] = {
    "Object": (
        "the main object is {}",
        "a picture whose subject is {}",
        "the things in the picture are {}",
        "what can be seen is {}",
        "{}, in the middle of the picture",
    ),
    "Attribute": (
        "{} with visible details",
        "the colours and materials are as in {}",
        "a detailed picture of {}",
        "{}, seen clearly",
        "look at the appearance: {}",
    ),
    "Action": (
        "someone is {}",
        "what is happening: {}",
        "the moment of {}",
        "{}, in motion",
        "an action picture of {}",
    ),
    "Count": (
        "several {}",
        "the number matters: {}",
        "exactly {}",
        "{}, counted",
        "a group picture of {}",
    ),
    "Context": (
        "{} outdoors",
        "the place is as in {}",
        "the scene: {}",
        "{}, with the surroundings visible",
        "a wide view of {}",
    ),
    "Spatial": (
        "{} on the left side",
        "the arrangement is as in {}",
        "where things are: {}",
        "{}, seen from the front",
        "the layout of {}",
    ),
}
"""Five templates a category. The first of each is one that a published study of failures used; the
other four are ours in its manner, since the study printed one of five."""

SETS: Mapping[str, TemplateSet] = {
    one.name: one
    for one in (
        TemplateSet("plain", (PLAIN,), "the caption alone"),
        TemplateSet("photo", ("a photo of {}",), "CLIP's own prompt for class names (Radford et al. 2021)"),
        TemplateSet(
            "general",
            (
                PLAIN,
                "a photo of {}",
                "a picture of {}",
                "an image of {}",
                "a good photo of {}",
                "a cropped photo of {}",
                "a bright photo of {}",
                "a blurry photo of {}",
                "a close-up of {}",
                "a photo that shows {}",
                "this is {}",
                "there is {} in the scene",
            ),
            "a small set in the manner of CLIP's 80 ImageNet prompts (Radford et al. 2021)",
        ),
        TemplateSet("study-base", _BASE, "the five base templates of a published study of failures"),
        *(
            TemplateSet(
                category.casefold(),
                (*_BASE, *studied),
                f"the base templates and five for {category} failures",
                category,
            )
            for category, studied in _STUDIED.items()
        ),
        TemplateSet(
            "object+attribute",
            (*_BASE, *_STUDIED["Object"], *_STUDIED["Attribute"]),
            "the base templates and those for Object and Attribute failures, 15 as in the study",
        ),
    )
}
"""Every set by name. The sets of a category carry its name in lower case."""


def fill(template: str, caption: str) -> str:
    """Return the caption in its place in the template.

    >>> fill("a photo of {}", "Two dogs run.")
    'a photo of Two dogs run.'
    >>> fill("{}. close-up view.", "Two dogs run.")
    'Two dogs run. close-up view.'
    >>> fill("{}", " as it stands. ")
    ' as it stands. '
    """
    before, _, after = template.partition(SLOT)
    if after:
        stripped = caption.rstrip()
        # An ellipsis is no full stop: its dots belong together.
        if stripped.endswith(".") and not stripped.endswith(".."):
            caption = stripped[:-1]
    return f"{before}{caption}{after}"


def fill_all(templates: Sequence[str], captions: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return one tuple of strings for each template, in the captions' order."""
    return tuple(tuple(fill(template, caption) for caption in captions) for template in templates)


def template_set(name: str) -> TemplateSet:
    """Return the set of this name. Raises ClipbenchError that lists the names."""
    if name not in SETS:
        raise ClipbenchError(
            f"there is no template set {name!r}; there are {', '.join(SETS)}",
            "--set general, or --templates FILE with one template a line",
        )
    return SETS[name]


def category_set(category: str) -> TemplateSet:
    """Return the set made for a failure category. Raises ClipbenchError where there is none (Ambiguous)."""
    for one in SETS.values():
        if one.category == category:
            return one
    raise ClipbenchError(f"there are no templates for {category}", "--set general")


def parse_templates(text: str, name: str) -> TemplateSet:
    r"""Return the templates of a text file, one a line; blank lines and lines that begin with # are left out.

    Raises ClipbenchError with every line that has no `{}`, or more than one, or comes twice.

    >>> parse_templates("# ours\n{}\na photo of {}\n", "mine").templates
    ('{}', 'a photo of {}')
    """
    templates: dict[str, int] = {}
    problems: list[str] = []
    for number, line in enumerate(split_lines(text), 1):
        # A template may begin or end with a space on purpose, but not a whole line of them.
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.count(SLOT) != 1:
            problems.append(f"line {number} has {line.count(SLOT)} {{}}: {line[:60]!r}")
        elif line in templates:
            problems.append(f"line {number} repeats line {templates[line]}: {line[:60]!r}")
        else:
            templates[line] = number
    if problems or not templates:
        shown = "; ".join(problems[:5]) or "it has no template"
        raise ClipbenchError(f"{name}: {shown}", "one template a line, with {} where the caption goes")
    return TemplateSet(name, tuple(templates), f"{len(templates)} templates of the file {name}")
