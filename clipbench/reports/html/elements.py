"""HTML from plain values: text is escaped unless an element made it, and nothing else becomes markup.

Knows elements and attributes. Knows no page, no table and no style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Markup:
    """HTML that is ready: made by `element`, `raw` or `joined`, never by a formatted string."""

    html: str


Child: TypeAlias = "Markup | str | int | None"
Attribute: TypeAlias = str | int | float | None

VOID = frozenset({"meta", "img", "br", "line", "circle", "path", "polyline", "polygon", "rect"})
"""Elements without content; those of SVG are closed in themselves."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")

# Characters that HTML forbids, and half surrogate pairs, which no encoding takes.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def readable(text: str) -> str:
    r"""Return text without the characters that HTML and UTF-8 cannot hold; each becomes U+FFFD.

    >>> readable("a\x00b\ud83d")
    'a�b�'
    """
    return UNPRINTABLE.sub("\ufffd", text)


def element(tag: str, attributes: dict[str, Attribute] | None = None, *children: Child) -> Markup:
    """Return one element; children that are text are escaped, None is left out.

    >>> element("p", {"class": "note"}, "a < b", element("br")).html
    '<p class="note">a &lt; b<br></p>'

    Raises ValueError for a name that is none, or children where there is no place for them.
    """
    told = [tag]
    for name, value in (attributes or {}).items():
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no attribute")
        if value is not None:
            told.append(f'{name}="{escape(readable(_plain(value)))}"')
    if not NAME.fullmatch(tag) or (tag in VOID and children):
        raise ValueError(f"<{tag}> cannot be made with {len(children)} children")
    if tag in VOID:
        return Markup(f"<{' '.join(told)}>" if tag in {"meta", "img", "br"} else f"<{' '.join(told)}/>")
    return Markup(f"<{' '.join(told)}>{joined(children).html}</{tag}>")


def joined(children: Iterable[Child]) -> Markup:
    """Return the children one after another."""
    return Markup("".join(_html(child) for child in children if child is not None))


def quoted(text: str, tag: str = "span") -> Markup:
    """Return a text that others wrote: its direction is its own, and it cannot turn what stands beside it."""
    return element(tag, {"dir": "auto", "class": "foreign"}, text)


def _html(child: Markup | str | int) -> str:
    if isinstance(child, Markup):
        return child.html
    return escape(readable(child) if isinstance(child, str) else str(child), quote=False)


def _plain(value: str | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
