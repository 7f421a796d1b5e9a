"""Which failure a row of a label file is about: by item, by caption id, by position, or by text and image.

A row that matches nothing, or matches a caption that is not the one its text says, is a `MatchError`.
Pure: works on a dataset that was loaded and failures that were found.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clipbench.datasets.listing import alone, spelling
from clipbench.failures.exchange import Entry, unfitted, unguarded
from clipbench.failures.items import Failure
from clipbench.records import Dataset

SHOWN = 60
TRIMMED = "caption matched but for blanks"
RESPELT = "ids found in another spelling (Unicode form, percent signs)"


class MatchError(ValueError):
    """A row that is about no known failure. The message completes "line 3: ..."."""


@dataclass(frozen=True)
class Catalogue:
    """A dataset to look rows up in. order: for each position a label file may name, the caption's id."""

    dataset: Dataset
    order: Sequence[str] | None = None

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Position of every caption by id."""
        return {caption.id: place for place, caption in enumerate(self.dataset.captions)}

    @cached_property
    def images(self) -> Mapping[str, int]:
        """Position of every image by id."""
        return {sample.id: place for place, sample in enumerate(self.dataset.samples)}

    @cached_property
    def spelt(self) -> Mapping[str, int]:
        """Position of every caption by a spelling that its id alone has."""
        return {form: self.place[id_] for form, id_ in alone(self.place).items()}

    @cached_property
    def images_spelt(self) -> Mapping[str, int]:
        """Position of every image by a spelling that its id alone has."""
        return {form: self.images[id_] for form, id_ in alone(self.images).items()}

    @cached_property
    def by_text(self) -> Mapping[str, Sequence[int]]:
        """Positions of the captions that say the same, blanks aside."""
        found: dict[str, list[int]] = {}
        for place, caption in enumerate(self.dataset.captions):
            found.setdefault(_plain(caption.text), []).append(place)
        return found


def match(
    row: Entry, catalogue: Catalogue | None, stored: Mapping[str, Failure]
) -> tuple[Failure, str | None]:
    """Return the failure a row is about, and a remark where its caption or ids fit only in another spelling.

    stored: failures by key, for rows that name their item. catalogue: None where no dataset is known,
    so that only items can be looked up. Raises MatchError.
    """
    if row.item.strip():
        return _by_item(row, catalogue, stored)
    if catalogue is None:
        raise MatchError("the row names no item, and no dataset is named to look it up in")
    caption, remark = _caption(row, catalogue)
    remark = remark or _respelt(row, catalogue)
    dataset = catalogue.dataset
    owner = int(dataset.owners[caption])
    own = _image(row.gt_image_id, row.gt_img_idx, "gt", catalogue)
    if own is not None and own != owner:
        raise MatchError(
            f"the caption belongs to image {dataset.samples[owner].id} (number {owner}), "
            f"the row says {dataset.samples[own].id} (number {own})"
        )
    found = _image(row.pred_image_id, row.pred_img_idx, "pred", catalogue)
    if found is None:
        raise MatchError("the row names no retrieved image (pred_img_idx)")
    if found == owner:
        raise MatchError(f"the retrieved image {dataset.samples[found].id} is the caption's own: no failure")
    failure = Failure(
        fingerprint=dataset.fingerprint,
        direction="t2i",
        caption_id=dataset.captions[caption].id,
        image_id=dataset.samples[owner].id,
        retrieved_id=dataset.samples[found].id,
        caption=caption,
        image=owner,
        retrieved=found,
    )
    return failure, remark


def _by_item(
    row: Entry, catalogue: Catalogue | None, stored: Mapping[str, Failure]
) -> tuple[Failure, str | None]:
    failure = stored.get(row.item.strip())
    if failure is None:
        raise MatchError(f"there is no item {row.item.strip()[:SHOWN]} in this store")
    told = row.caption_id.strip()
    if (
        told
        and failure.caption_id not in {told, unguarded(told)}
        and spelling(told) != spelling(failure.caption_id)
    ):
        raise MatchError(f"the item has caption {failure.caption_id}, the row says {row.caption_id.strip()}")
    if catalogue is None or catalogue.dataset.fingerprint != failure.fingerprint or not row.caption.strip():
        return failure, None
    return failure, _same_text(row, catalogue, failure.caption)


def _caption(row: Entry, catalogue: Catalogue) -> tuple[int, str | None]:
    """Return the position of the caption a row means, its text checked."""
    if row.caption_id.strip():
        place = _place(row.caption_id.strip(), catalogue.place, catalogue.spelt)
        if place is None:
            raise MatchError(f"{catalogue.dataset.name} has no caption {row.caption_id.strip()[:SHOWN]}")
        return place, _same_text(row, catalogue, place)
    if row.idx.strip():
        count = len(catalogue.dataset.captions)
        number = _number(row.idx, "idx", count, f"captions in {catalogue.dataset.name}")
        place = number if catalogue.order is None else catalogue.place[catalogue.order[number]]
        return place, _same_text(row, catalogue, place)
    return _by_text(row, catalogue), None


def _by_text(row: Entry, catalogue: Catalogue) -> int:
    own = _image(row.gt_image_id, row.gt_img_idx, "gt", catalogue)
    if own is None:
        raise MatchError("the row has neither an item, a caption id nor idx, and names no image (gt_img_idx)")
    says = {_plain(row.caption), _plain(unguarded(row.caption))}
    owners = catalogue.dataset.owners
    places = [p for text in sorted(says) for p in catalogue.by_text.get(text, ()) if owners[p] == own]
    if len(places) != 1:
        raise MatchError(
            f"{len(places)} captions of image {catalogue.dataset.samples[own].id} say {row.caption[:SHOWN]!r}"
        )
    return places[0]


def _same_text(row: Entry, catalogue: Catalogue, place: int) -> str | None:
    """Return a remark where text and caption differ in blanks. Raises MatchError where they say different things."""
    text = catalogue.dataset.captions[place].text
    if text in {row.caption, unguarded(row.caption)} or unfitted(text) == unfitted(row.caption):
        return None
    if _plain(text) in {_plain(row.caption), _plain(unguarded(row.caption))}:
        return TRIMMED
    raise MatchError(
        f"caption {catalogue.dataset.captions[place].id} (number {place}) is {text[:SHOWN]!r}, "
        f"the row says {row.caption[:SHOWN]!r}"
    )


def _image(id_: str, number: str, which: str, catalogue: Catalogue) -> int | None:
    """Return the position of the image a row names by id or number, None where it names none."""
    dataset = catalogue.dataset
    if id_.strip():
        place = _place(id_.strip(), catalogue.images, catalogue.images_spelt)
        if place is None:
            raise MatchError(f"{dataset.name} has no image {id_.strip()[:SHOWN]} ({which}_image_id)")
        return place
    if number.strip():
        return _number(number, f"{which}_img_idx", len(dataset.samples), f"images in {dataset.name}")
    return None


def _place(id_: str, places: Mapping[str, int], spelt: Mapping[str, int]) -> int | None:
    """Return where an id stands; our own tables guard those that a spreadsheet would take for a formula.

    One in another Unicode form (macOS changes it) or with percent signs is taken where it means one item alone.
    """
    exact = places.get(id_, places.get(unguarded(id_)))
    return exact if exact is not None else spelt.get(spelling(unguarded(id_)))


def _respelt(row: Entry, catalogue: Catalogue) -> str | None:
    given = (
        (row.caption_id, catalogue.place),
        (row.gt_image_id, catalogue.images),
        (row.pred_image_id, catalogue.images),
    )
    exact = [
        not id_.strip() or bool({id_.strip(), unguarded(id_.strip())} & places.keys())
        for id_, places in given
    ]
    return None if all(exact) else RESPELT


def _number(text: str, column: str, count: int, of: str) -> int:
    written = text.strip()
    if not (written.isascii() and written.isdigit()) or len(written) > 12:
        raise MatchError(f"{column} is {written[:SHOWN]!r}, not a whole number from 0 on")
    if int(written) >= count:
        raise MatchError(f"{column} is {int(written):,}, and there are {count:,} {of}")
    return int(written)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
