"""A sample of failures as one HTML file to look through, with filters; thumbnails inside, nothing loaded."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from clipbench.failures.taxonomy import NAMES
from clipbench.keys import Json, short
from clipbench.reports.left_out import notes_of
from clipbench.store.annotations import newest_labels
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import StoredSample
from clipbench.store.left_out import left_out
from clipbench.store.runs import find_run
from clipbench.study.annotation.labels import by_failure
from clipbench.study.annotation.pictures import FOUND, OWN, jpeg, photograph
from clipbench.study.comparing.failures import Retrieved, first_images
from clipbench.study.output.single_page import data_address, single_page
from clipbench.study.output.whole_files import whole_file
from clipbench.study.runs.loaded import load_run
from clipbench.study.workplace.progress import Progress

THUMBNAIL = 96
"""Pixels of the pictures found first, of which there are ten for each failure."""


def write_gallery(
    store: Store, stored: StoredSample, out: Path, progress: Progress, *, side: int = 280, force: bool = False
) -> int:
    """Write the gallery of a sample to `out` and return its number of failures.

    Raises ClipbenchError where `out` exists and `force` is False, or cannot be written.
    """
    data = gallery_data(store, stored, progress, side)
    folder = files("clipbench.reports.annotation") / "page"
    html, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("gallery.html", "gallery.css", "gallery.js")
    )
    with whole_file(out, force=force) as path:
        path.write_text(single_page(html, style, script, data), encoding="utf-8")
    return len(stored.sample.failures)


def gallery_data(store: Store, stored: StoredSample, progress: Progress, side: int) -> dict[str, Json]:
    """Return everything the gallery shows; pictures are kept once and named by their place in `pictures`."""
    sample = stored.sample
    dataset = load_dataset(store, sample.dataset)
    labels = by_failure(newest_labels(store, dataset.fingerprint))
    bar = progress.start("pictures", len(sample.failures))
    pictures: list[Json] = []
    numbers: dict[int, int] = {}
    thumbnails: dict[int, str] = {}
    items: list[Json] = []
    places = {image.id: place for place, image in enumerate(dataset.samples)}
    for item, first in zip(sample.failures, _first(store, stored), strict=True):
        failure = item.failure
        for place in (failure.image, failure.retrieved):
            if place not in numbers:
                numbers[place] = len(pictures)
                pictures.append(data_address(jpeg(photograph(dataset, place, side))))
        row: list[Json] = [[places[image.sample.id], image.right] for image in first]
        for place in {places[image.sample.id] for image in first} - thumbnails.keys():
            thumbnails[place] = data_address(jpeg(photograph(dataset, place, THUMBNAIL)))
        given: list[Json] = [
            {"annotator": x.annotator, "category": x.category, "subtype": x.subtype, "note": x.note}
            for x in labels.get(failure.key, ())
        ]
        items.append(
            {
                "caption": dataset.captions[failure.caption].text,
                "id": failure.caption_id,
                "images": [failure.image_id, failure.retrieved_id],
                "pictures": [numbers[failure.image], numbers[failure.retrieved]],
                "first": row,
                "rank": round(item.rank, 1),
                "margin": round(item.margin, 4),
                "labels": given,
            }
        )
        progress.advance(bar, 1)
    drawn = f"sample {short(stored.key)}: {len(items)} of {sample.population} {sample.direction} failures"
    return {
        "title": f"{dataset.name}: failures of run {short(sample.run)}",
        "note": "; ".join((drawn, *notes_of(left_out(store, [sample.run])))),
        "categories": list(NAMES),
        "sides": [OWN, FOUND],
        "pictures": pictures,
        "thumbnails": {str(place): address for place, address in sorted(thumbnails.items())},
        "items": items,
    }


def _first(store: Store, stored: StoredSample) -> tuple[tuple[Retrieved, ...], ...]:
    """Return the images found first for every failure, none where the run is gone or ranked the other way."""
    failures = stored.sample.failures
    run = find_run(store, stored.sample.run)
    if run is None or stored.sample.direction != "t2i":
        return ((),) * len(failures)
    loaded = load_run(store, run)
    rows = {caption: row for row, caption in enumerate(loaded.query_ids("t2i"))}
    return first_images(store, loaded, [rows[item.failure.caption_id] for item in failures])
