"""Templates to HTML: every value is escaped, and what a template misses is an error.

The page loads nothing and runs nothing, and a content security policy in it says so: no network, no script,
no form, this one style sheet and pictures that are in the page itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from clipbench.reports.tables import is_numeric, shown

if TYPE_CHECKING:
    from jinja2 import Environment

# Characters that HTML forbids, and half surrogate pairs, which no encoding takes.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def readable(text: str) -> str:
    r"""Return text without the characters that HTML and UTF-8 cannot hold; each becomes U+FFFD.

    >>> readable("a\x00b\ud83d")
    'a�b�'
    """
    return UNPRINTABLE.sub("\ufffd", text)


def rendered(template: str, values: Mapping[str, object]) -> str:
    """Return a template of this package filled with values."""
    return readable(templates().get_template(template).render(values))


@cache
def templates() -> Environment:
    """Return the templates of this package; they are read from wherever it is installed, a zip file too."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "rank": shown_rank}
    environment.tests |= {"numeric_in": lambda number, table: is_numeric(table, number)}
    # The style sheet is not escaped: it is ours, and a test holds it free of markup.
    environment.globals |= {"style": Markup(stylesheet()), "style_hash": style_hash()}  # noqa: S704, our own file
    return environment


def stylesheet() -> str:
    """Return the one style sheet."""
    return _source("style.css")


def style_hash() -> str:
    """Return the source expression that lets this style sheet, and no other, into the page."""
    return f"sha256-{base64.b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode()}"


def shown_rank(rank: float) -> str:
    """Return a rank, which is no whole number where it is expected over ties.

    >>> shown_rank(3.0), shown_rank(2.5), shown_rank(1204.0)
    ('3', '2.5', '1,204')
    """
    return f"{rank:,.0f}" if rank == int(rank) else f"{rank:,.1f}"


def _source(name: str) -> str:
    return (files("clipbench.reports.html") / "templates" / name).read_text(encoding="utf-8")
