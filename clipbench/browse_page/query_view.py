"""The view of one query: what was found first, the right ones marked, and where the right one stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clipbench.browse_page.asking import Asked, address
from clipbench.browse_page.looking import FIRST, Looking
from clipbench.browse_page.run_views import ONLY, SAYS, chosen_direction
from clipbench.browse_page.view import Found, Seen, Tab, View, as_csv
from clipbench.errors import StoreError
from clipbench.keys import short
from clipbench.records import Caption, Direction, Sample
from clipbench.reports.html.rendering import shown_rank
from clipbench.reports.ledger import TOP_COLUMNS
from clipbench.reports.tables import Column, Table, shown
from clipbench.study.comparing.rankings import BLOCK
from clipbench.study.comparing.references import resolve_one
from clipbench.study.runs.loaded import LoadedRun

SHOWN = 5
"""Right items that are shown beside a query."""


def query(look: Looking, asked: Asked) -> View:
    """Return one query of a run with the ten items found first."""
    stored = resolve_one(look.store, asked.one("run", "latest"))
    loaded = look.loaded(stored)
    direction, key = chosen_direction(loaded, asked), short(stored.key)
    ids = loaded.query_ids(direction)
    number = _number(ids, asked.one("query"))
    try:
        items = next(iter(look.first_items(stored, direction)([number])))
        why = ""
    except StoreError as error:  # no ten are known, but the ledger knows the first
        items, why = None, f"; only the first is known: {error.message}"
    ledger = loaded.ledger(direction)
    right = ledger.positive[ledger.offsets[number] : ledger.offsets[number + 1]].tolist()
    shots = _Shots(loaded, direction, key)
    found = Found(
        shots.query(number),
        tuple(shots.item(place, "right") for place in right[:SHOWN]),
        shots.first(items or [(int(ledger.top1[number]), None)], right),
    )
    table = look.ledger(stored, direction)
    row = table.rows[number]

    def csv() -> str:
        # Sums of another block of queries differ in the last digit, and the command goes by blocks.
        start = number - number % BLOCK
        block = range(start, min(start + BLOCK, len(ids)))
        exact = list(look.first_items(stored, direction)(block))[number - start]
        rows = tuple(
            (direction, ids[number], rank, shots.item_id(place), score, int(place in right))
            for rank, (place, score) in enumerate(exact, 1)
        )
        return as_csv(Table("", tuple(map(Column, TOP_COLUMNS)), rows))

    return View(
        f"Query {ids[number]}",
        "runs",
        f"runs export {key}{'' if why else f' --top {FIRST}'} --direction {direction}",
        None if why else csv,
        lead=_lead(row[4], row[12], len(right), ledger.gallery_size) + why,
        tabs=_tabs(key, table, number, asked.one("only")),
        found=found,
    )


def _number(ids: tuple[str, ...], asked: str) -> int:
    if not asked and ids:
        return 0
    try:
        return ids.index(asked)
    except ValueError:
        raise StoreError(
            f"the run has no query {asked!r}", "look for it in the run's list of queries"
        ) from None


def _lead(rank: object, margin: object, right: int, gallery: int) -> str:
    """Return where the right item stands, in words."""
    several = f"the best of {right} right items" if right > 1 else "the right item"
    if not isinstance(rank, float):
        return f"{several} lies deeper than the index looked, of {gallery:,}".capitalize()
    words = f"{several} has rank {shown_rank(rank)} of {gallery:,}"
    more = f", its score less the best other's is {shown(margin, 4)}" if isinstance(margin, float) else ""
    return f"{words[0].upper()}{words[1:]}{more}"


def _tabs(key: str, ledger: Table, number: int, only: str) -> tuple[Tab, ...]:
    """Return the ways to the queries around one: of all, or of those only that are looked at."""
    names = [column.name for column in ledger.columns]
    right, wanted = names.index("top1 right"), ONLY.get(only)
    direction = str(ledger.rows[number][0])
    says = f" whose first is {only}" if wanted is not None else ""

    def to(numbers: Iterable[int], words: str) -> list[Tab]:
        near = next((n for n in numbers if wanted is None or ledger.rows[n][right] == wanted), None)
        if near is None:
            return []
        query = str(ledger.rows[near][1])
        return [Tab(words, address("query", run=key, direction=direction, query=query, only=only))]

    return (
        Tab(f"all queries{says} of run {key}", address("queries", run=key, direction=direction, only=only)),
        *to(range(number - 1, -1, -1), "← previous"),
        *to(range(number + 1, len(ledger.rows)), "next →"),
    )


class _Shots:
    """The items of a run's galleries as they are seen."""

    def __init__(self, loaded: LoadedRun, direction: Direction, key: str) -> None:
        self._loaded, self._direction, self._key = loaded, direction, key
        self._samples = loaded.gallery.images
        self._captions = loaded.gallery.captions

    def query(self, number: int) -> Seen:
        """Return a query."""
        if self._direction == "t2i":
            return self._caption(self._captions[number], SAYS["t2i"], right=False)
        return self._image(self._samples[number], SAYS["i2t"], right=False)

    def item_id(self, place: int) -> str:
        """Return the id of what was found."""
        items: tuple[Sample, ...] | tuple[Caption, ...] = (
            self._samples if self._direction == "t2i" else self._captions
        )
        # What a run ranked beside the dataset's own items has no name here.
        return items[place].id if place < len(items) else f"added {place - len(items) + 1}"

    def item(self, place: int, words: str, *, right: bool = False) -> Seen:
        """Return what was found."""
        if self._direction == "t2i" and place < len(self._samples):
            return self._image(self._samples[place], words, right=right)
        if self._direction == "i2t" and place < len(self._captions):
            return self._caption(self._captions[place], words, right=right)
        return Seen(self.item_id(place), words, problem="not of this dataset", right=right)

    def first(self, items: Sequence[tuple[int, float | None]], right: Sequence[int]) -> tuple[Seen, ...]:
        """Return what was found first, best first, with what scores are known."""
        return tuple(
            self.item(
                place, f"{rank}" if score is None else f"{rank}, score {score:.3f}", right=place in right
            )
            for rank, (place, score) in enumerate(items, 1)
        )

    def _caption(self, caption: Caption, words: str, *, right: bool) -> Seen:
        to = address("query", run=self._key, direction="t2i", query=caption.id)
        link = to if "t2i" in self._loaded.ledgers else ""
        return Seen(caption.id, words, text=caption.text, right=right, address=link)

    def _image(self, sample: Sample, words: str, *, right: bool) -> Seen:
        to = address("query", run=self._key, direction="i2t", query=sample.id)
        link = to if "i2t" in self._loaded.ledgers and sample.captions else ""
        return seen_image(self._loaded.run.spec.dataset, sample, words, right=right, link=link)


def seen_image(dataset: str, sample: Sample, words: str, *, right: bool = False, link: str = "") -> Seen:
    """Return a photograph of a dataset (by key), or why there is none."""
    picture = address("picture", dataset=dataset, image=sample.id)
    if sample.path is None or sample.problem is not None:
        reason = sample.problem or "the dataset has no photographs"
        return Seen(sample.id, words, problem=reason, right=right, address=link)
    return Seen(sample.id, words, picture=picture, right=right, address=link)
