"""The frame of a page: one self-contained file that loads nothing and runs nothing.

A content security policy says so too: no network, no script, no form, this one style sheet and pictures
that are in the page itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.reports.html.elements import Child, Markup, element, joined
from clipbench.reports.html.style import STYLE, style_hash


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a page: `name` is what links to it, a plain word."""

    name: str
    heading: str
    content: Markup


def page(title: str, lead: Sequence[Child], sections: Sequence[Section], foot: Markup) -> str:
    """Return the whole document."""
    policy = (
        f"default-src 'none'; img-src data:; style-src '{style_hash()}'; base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "referrer", "content": "no-referrer"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", {}, title),
        # A style sheet is not escaped: it is ours, and a test holds it free of markup.
        Markup(f"<style>{STYLE}</style>"),
    )
    links = [element("li", {}, element("a", {"href": f"#{s.name}"}, s.heading)) for s in sections]
    body = element(
        "body",
        {},
        element("header", {}, element("h1", {}, title), *lead, element("nav", {}, element("ul", {}, *links))),
        element("main", {}, *(_section(section) for section in sections)),
        element("footer", {"id": "provenance"}, foot),
    )
    return f"<!DOCTYPE html>\n{element('html', {'lang': 'en'}, joined([head, body])).html}\n"


def _section(section: Section) -> Markup:
    return element("section", {"id": section.name}, element("h2", {}, section.heading), section.content)
