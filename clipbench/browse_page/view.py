"""A view: what one address shows, without how it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clipbench.reports.html.curves import Curves
from clipbench.reports.tables import Table, to_csv


@dataclass(frozen=True, slots=True)
class Listing:
    """A table that sorts, filters and hides columns.

    links: the address of each row ("" for none), () where no row has one. ticks: what each row is called where
    rows can be ticked; `action` is the address they go to, under `name`, and `fewest` how many it takes.
    """

    table: Table
    links: tuple[str, ...] = ()
    ticks: tuple[str, ...] = ()
    action: str = ""
    name: str = ""
    says: str = ""
    fewest: int = 2


@dataclass(frozen=True, slots=True)
class Tab:
    """Another way to see the same, with its address."""

    says: str
    address: str
    here: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A photograph or a caption: what it is, and its address. picture: where its picture is, None where there is none."""

    id: str
    words: str = ""
    picture: str | None = None
    text: str | None = None
    problem: str = ""
    right: bool = False
    address: str = ""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Photographs of a collection, a page at a time; `total` are all that were found."""

    seen: tuple[Seen, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Found:
    """A query with what is right for it and what was found, best first."""

    query: Seen
    right: tuple[Seen, ...]
    found: tuple[Seen, ...]


@dataclass(frozen=True)
class View:
    """What one address shows.

    place: the entry of the menu that it belongs to. command: what prints the same, without "clipbench". csv: makes
    the same as CSV, None where it has none. lead: a sentence about it. tabs: other ways to see it.
    """

    title: str
    place: str
    command: str
    csv: Callable[[], str] | None = None
    lead: str = ""
    tabs: tuple[Tab, ...] = ()
    listing: Listing | None = None
    found: Found | None = None
    curves: tuple[tuple[str, Curves], ...] = ()
    tables: tuple[Table, ...] = ()
    gallery: Gallery | None = None


def as_csv(*tables: Table) -> str:
    """Return tables as the command line writes them with --format csv."""
    return "\n".join(to_csv(table) for table in tables)
