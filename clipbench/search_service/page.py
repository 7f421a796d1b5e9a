"""The page as HTML: templates filled by Jinja2, which escapes whatever is put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from clipbench.search_service.answering import item_answer
from clipbench.search_service.collection import Collection, whole
from clipbench.search_service.messages import LARGEST_TOP, MOST_WITHOUT, ItemAnswer, SearchAnswer
from clipbench.search_service.problems import Problem
from clipbench.search_service.service import SearchService

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = "page_files"
SHOWN = 24
"""Results of a page, and how many more each time."""

SOME = 18
"""Photographs shown before anything is asked."""

HEADINGS: Mapping[int, str] = {
    404: "Not in this gallery",
    413: "That picture is too large",
    415: "That is no picture",
    422: "That cannot be searched",
    503: "Too much to do just now",
}
"""How the page heads a problem; others have their own names."""

EXAMPLES = 4
LONGEST_EXAMPLE = 60


@dataclass(frozen=True)
class PageQuery:
    """What the address of the page asks for; empty texts for nothing."""

    q: str = ""
    without: str = ""
    where: str = ""
    like: str = ""
    top: int = SHOWN

    @classmethod
    def of(cls, given: Mapping[str, str]) -> PageQuery:
        """Return the query of an address; a number that is none is passed over."""
        said = {name: given.get(name, "").strip() for name in ("q", "without", "where", "like")}
        top = given.get("top", "")
        return cls(**said, top=int(top) if top.isascii() and top.isdigit() and len(top) < 6 else SHOWN)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The negative words, which commas part."""
        return tuple(part.strip() for part in self.without.split(",") if part.strip())[: MOST_WITHOUT + 1]

    def address(self) -> str:
        """Return the query as an address has it, with a question mark unless it is empty."""
        said = {name: getattr(self, name) for name in ("q", "without", "where", "like")}
        told = {name: text for name, text in said.items() if text}
        if self.top != SHOWN:
            told["top"] = str(self.top)
        return f"?{urlencode(told)}" if told else ""


@cache
def asset(name: str) -> str:
    """Return the text of one of the page's files."""
    return (files("clipbench.search_service") / FOLDER / name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(
    service: SearchService, root: str, asked: PageQuery, answer: SearchAnswer | None, problem: Problem | None
) -> str:
    """Return the whole page. root: what addresses begin with."""
    collection = service.collection
    names = collection.filters.names
    number = collection.shown.get(asked.like)
    values = _values(collection, root, asked, answer, problem)
    return (
        _templates()
        .get_template("search.html")
        .render(
            **values,
            title=asked.q or (f"like {asked.like}" if asked.like else ""),
            dataset=collection.gallery.dataset.name,
            gallery=collection.gallery.size,
            model=service.model.label,
            like=None if number is None else item_answer(collection, number),
            without_like=replace(asked, like="").address(),
            columns=[whole(name) for name in names],
            example=_example(collection),
        )
    )


def results(
    service: SearchService, root: str, asked: PageQuery, answer: SearchAnswer | None, problem: Problem | None
) -> str:
    """Return the part of the page that holds what was found."""
    values = _values(service.collection, root, asked, answer, problem)
    return _templates().get_template("results.html").render(**values)


def _values(
    collection: Collection, root: str, asked: PageQuery, answer: SearchAnswer | None, problem: Problem | None
) -> dict[str, Any]:
    hits = () if answer is None else answer.hits
    begun = answer is not None or problem is not None
    scores = [hit.score for hit in hits]
    more = answer is not None and len(hits) < min(answer.searched, LARGEST_TOP)
    return {
        "root": root,
        "asked": asked,
        "answer": answer,
        "problem": problem,
        "heading": "" if problem is None else HEADINGS.get(problem.status, "It did not work"),
        "links": [
            {
                "like": PageQuery(like=hit.id, where=asked.where).address(),
                "picture": None if hit.picture is None else f"{hit.picture}?size=1280",
            }
            for hit in hits
        ],
        # The bars say how results differ: a cosine by itself means another thing for every model.
        "lowest": min(0.0, *scores) if scores else 0.0,
        "highest": max(scores) if scores and max(scores) > 0 else 1.0,
        "more": replace(asked, top=min(asked.top + SHOWN, LARGEST_TOP)).address() if more else "",
        "without_where": replace(asked, where="").address(),
        "some": () if begun else [_link(item) for item in _some(collection, SOME)],
        "examples": () if begun else _examples(collection),
    }


def _some(collection: Collection, count: int) -> list[ItemAnswer]:
    """Return photographs from all over the gallery."""
    size = collection.gallery.size
    numbers = sorted({size * place // count for place in range(count)} & set(range(size)))
    return [item for item in (item_answer(collection, number) for number in numbers) if item.picture]


def _link(item: ItemAnswer) -> dict[str, str | None]:
    caption = item.captions[0] if item.captions else None
    address = PageQuery(like=item.id).address()
    return {"id": item.id, "picture": f"{item.picture}?size=160", "caption": caption, "query": address[1:]}


def _examples(collection: Collection) -> list[dict[str, str]]:
    """Return captions to try: short ones, from all over the gallery."""
    size = collection.gallery.size
    captions: dict[str, None] = {}
    for place in range(4 * EXAMPLES):
        sample = collection.gallery.samples[size * place // (4 * EXAMPLES)]
        words = whole(sample.captions[0].text).strip() if sample.captions else ""
        if 0 < len(words) <= LONGEST_EXAMPLE:
            captions[words.rstrip(" .")] = None
    return [{"text": words, "query": PageQuery(q=words).address()[1:]} for words in list(captions)[:EXAMPLES]]


def _example(collection: Collection) -> str:
    """Return a filter that means something here, as a placeholder."""
    columns = collection.columns
    if columns is not None and columns.names:
        for name, cell in zip(columns.names, columns.cells[0], strict=True):
            if 0 < len(cell) <= 30 and "'" not in cell and name.isidentifier():
                return whole(f"{name} = '{cell}'")
    return "captions > 1"
