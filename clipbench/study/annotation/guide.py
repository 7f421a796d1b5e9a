"""The guide as plain text, for people who fill in a table. The page shows the same words."""

from __future__ import annotations

import textwrap

from clipbench.failures.taxonomy import AMBIGUOUS, CATEGORIES, SUBTYPES

STEPS = (
    "Read the caption. Look at both pictures.",
    "The caption was written for the ground truth. A program took it for the retrieved picture instead.",
    "Ask the questions below from the top. The first one you answer with yes is your label.",
    "Can't decide? Take the first that fits and write a note.",
)
BLIND_STEPS = (
    "Read the caption. Look at both pictures.",
    "The caption was written for one of them; a program took it for the other one. You are not told which.",
    "Ask the questions below from the top. The first one you answer with yes is your label.",
    "Can't decide? Take the first that fits and write a note.",
)


def steps(*, blind: bool = False) -> tuple[str, ...]:
    """Return what to do, a sentence or two for each step."""
    return BLIND_STEPS if blind else STEPS


def worded(text: str, *, blind: bool = False) -> str:
    """Return words of the taxonomy for somebody who is not told which picture was retrieved, where `blind`."""
    return text.replace("the retrieved picture", "the other picture") if blind else text


def guide_text(*, blind: bool = False) -> str:
    """Return the whole guide as text of 90 columns."""
    lines = ["HOW TO LABEL", ""]
    lines += [f"{number}. {step}" for number, step in enumerate(steps(blind=blind), start=1)]
    lines += ["", "Write the word in the column `category`.", ""]
    for number, category in enumerate(CATEGORIES, start=1):
        said = (worded(category.question, blind=blind), worded(category.example, blind=blind))
        lines += [f"{number}. {category.name.upper()}", *said]
        if category.name == AMBIGUOUS:
            lines.append("In the column `ambiguous_subtype` write why:")
            lines += [f"   {subtype.name}: {worded(subtype.question, blind=blind)}" for subtype in SUBTYPES]
        lines.append("")
    return "\n".join("\n".join(textwrap.wrap(line, 90)) for line in lines) + "\n"
