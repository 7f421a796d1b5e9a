"""The annotation page's files: as it is served, and as a single file with everything inside."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from clipbench.keys import Json
from clipbench.study.output.single_page import FOOT, HEAD, single_page

FOLDER = "page"


@cache
def asset(name: str) -> str:
    """Return the text of one of the page's files."""
    return (files("clipbench.annotation_page") / FOLDER / name).read_text(encoding="utf-8")


def script() -> str:
    """Return the page's whole script."""
    return asset("keepers.js") + asset("page.js")


def served_page() -> str:
    """Return the page as it is served: style and script beside it, no data."""
    head = '<link rel="stylesheet" href="page.css">\n<link rel="icon" href="icon.svg">'
    foot = '<script src="page.js" defer></script>'
    return asset("page.html").replace(HEAD, head).replace(FOOT, foot)


def file_page(data: Mapping[str, Json]) -> str:
    """Return the page as one file that holds style, script, pictures and captions, and loads nothing."""
    return single_page(asset("page.html"), asset("page.css"), script(), data)
