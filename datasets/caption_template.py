"""Captions composed from columns: `{type}, {color}. {description}`, where an empty field leaves no stray comma.

Knows templates and values; neither files nor which columns there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from clipbench.errors import DatasetError

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_BRACKETS = ("()", "[]", "<>", '""', "''")
_STOPS = (".", ",", ";", ":", "!", "?")

EXAMPLE = "--caption-template '{type}, {color}. {description}'"


@dataclass(frozen=True, slots=True)
class CaptionTemplate:
    """A template as it was typed, cut up.

    columns: of its fields in order, n of them. literals: what stands around them, n + 1 texts.
    """

    text: str
    columns: tuple[str, ...]
    literals: tuple[str, ...]

    def compose(self, values: Mapping[str, str]) -> str | None:
        """Return the caption of a row, None where every field of the template is empty.

        White space within a value is one space. An empty field takes along what leads up to it, the first
        ones what follows them, and brackets or quotes that hold nothing else; a value that ends as what follows it
        begins ("Black." before ". ") does not end twice.

        >>> template = parse_template("{type} ({size}), {color}. {description}")
        >>> template.compose({"type": "Vase", "size": "20 cm", "color": "Blue", "description": "By hand."})
        'Vase (20 cm), Blue. By hand.'
        >>> template.compose({"type": "Vase", "size": "", "color": "", "description": "By hand."})
        'Vase. By hand.'
        >>> template.compose({"type": "", "size": "", "color": "Blue", "description": ""})
        'Blue'
        """
        texts = [" ".join(values[name].split()) for name in self.columns]
        literals = list(self.literals)
        for place, text in enumerate(texts):
            before, after = literals[place], literals[place + 1]
            if not text and before[-1:] + after[:1] in _BRACKETS:
                literals[place], literals[place + 1] = before[:-1], after[1:]
        caption, begun = literals[0], False
        for place, text in enumerate(texts):
            if not text:
                continue
            if begun:
                caption = _joined(caption, literals[place])
            caption += text
            begun = True
        return _joined(caption, literals[-1]).strip() if begun else None


def parse_template(text: str) -> CaptionTemplate:
    """Return the template of a text; {{ and }} stand for braces.

    Raises DatasetError where a brace has no other, or no column is named.
    """
    columns: list[str] = []
    literals = [""]
    end = 0
    for found in _PIECE.finditer(text):
        literals[-1] += text[end : found.start()]
        end = found.end()
        piece, column = found[0], found[1]
        if piece in {"{{", "}}"}:
            literals[-1] += piece[0]
        elif column is None or not column.strip():
            what = "a brace without the other one" if column is None else "a field without a column's name"
            raise DatasetError(f"the caption template {text!r} has {what}", EXAMPLE)
        else:
            columns.append(column.strip())
            literals.append("")
    literals[-1] += text[end:]
    if not columns:
        raise DatasetError(f"the caption template {text!r} names no column", EXAMPLE)
    return CaptionTemplate(text, tuple(columns), tuple(literals))


def _joined(caption: str, literal: str) -> str:
    """Return a caption with the literal after it, its first stop left out where the caption ends with one."""
    doubled = caption[-1:] == literal[:1] and literal.startswith(_STOPS)
    return caption + (literal[1:] if doubled else literal)
