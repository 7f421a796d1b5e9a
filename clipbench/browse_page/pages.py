"""From a view to HTML: every value is escaped, and what a template misses is an error."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from clipbench.browse_page.arranging import arranged
from clipbench.browse_page.asking import Asked
from clipbench.browse_page.view import View
from clipbench.reports.html.rendering import readable, templates

if TYPE_CHECKING:
    from jinja2 import Environment

MENU = (
    ("runs", "", "Runs"),
    ("sweeps", "sweeps", "Sweeps"),
    ("datasets", "datasets", "Datasets"),
    ("labels", "labels", "Labels"),
    ("adapters", "adapters", "Adapters"),
    ("indexes", "indexes", "Indexes"),
)
"""The entries of the menu: name, address, words."""


def page(view: View, asked: Asked, root: str, store: str) -> str:
    """Return a view as a page. root: what addresses begin with. store: the option that commands need, or ""."""
    rows = None if view.listing is None else arranged(view.listing, asked)
    return _filled(
        "view.html",
        {"view": view, "asked": asked, "rows": rows, "root": root, "store": store, "menu": MENU},
    )


def refusal(message: str, hint: str, link: tuple[str, str] | None, root: str) -> str:
    """Return the page that says why there is none. link: words and address of a way on."""
    values = {"message": message, "hint": hint, "link": link, "root": root, "menu": MENU}
    return _filled("refusal.html", values)


@cache
def asset(name: str) -> str:
    """Return the text of one of the page's files."""
    return (files("clipbench.browse_page") / "page" / name).read_text(encoding="utf-8")


def _filled(name: str, values: Mapping[str, object]) -> str:
    return readable(_environment().get_template(name).render(values))


@cache
def _environment() -> Environment:
    """Return our templates, and those of the written report beneath them: tables and curves look alike in both."""
    from jinja2 import ChoiceLoader, FunctionLoader

    shared = templates()
    if shared.loader is None:
        raise TypeError("the report's templates have a loader")
    return shared.overlay(loader=ChoiceLoader([FunctionLoader(_source), shared.loader]))


def _source(name: str) -> str | None:
    """Return a template of ours, None where it is none."""
    place = files("clipbench.browse_page") / "templates" / name
    return place.read_text(encoding="utf-8") if place.is_file() else None
