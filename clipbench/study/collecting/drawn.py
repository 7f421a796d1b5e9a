"""Brings a collection that clipbench draws itself into the store: the scenes, or the catalogue of products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from clipbench.datasets import selection
from clipbench.datasets.caption_template import parse_template
from clipbench.datasets.reading import read
from clipbench.datasets.rows import ReadRequest
from clipbench.demo import CATALOGUE, SCENES
from clipbench.errors import DatasetError
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.study.collecting.collect import Added, Collected, Reporting, check_request_name, keep
from clipbench.study.workplace.progress import Progress

TEMPLATE = "{type}, {color}. {description}"
"""How captions of the drawn catalogue are composed where nothing is said."""


def collect_scenes(
    store: Store, request: ReadRequest, progress: Progress, *, replace_name: bool = False
) -> Collected:
    """Draw a split of the demo scenes below the store's artifacts and save it as a dataset.

    Of the request, name, split (test where None), sample, seed and max_captions count. Raises DatasetError
    where it asks for anything else.
    """
    from clipbench.demo.scenes import collection as scenes
    from clipbench.demo.scenes.graph import SPLITS

    check_request_name(request)
    _refuse_file_options(request)
    split = request.split or "test"
    if split not in SPLITS:
        raise DatasetError(f"the scenes have no split {split!r}", f"--split {' | '.join(SPLITS)}")
    folder = store.home.artifacts / "scenes"
    scenes.draw(folder, split, progress=Reporting(progress, "scenes drawn"))
    drawn = scenes.read(folder, split)
    samples = drawn.samples
    if request.sample is not None:
        samples = selection.draw(samples, request.sample, request.seed)
    samples = selection.first_captions(samples, request.max_captions)
    dataset = replace(
        drawn,
        name=request.name or f"scenes-{split}",
        caption_policy=request.caption_policy,
        samples=tuple(samples),
    )
    return Collected((Added(dataset, save_dataset(store, dataset, replace=replace_name)),), ())


def _refuse_file_options(request: ReadRequest) -> None:
    plain = ReadRequest(
        captions=request.captions,
        format=request.format,
        name=request.name,
        split=request.split,
        sample=request.sample,
        seed=request.seed,
        max_captions=request.max_captions,
    )
    if request != plain:
        raise DatasetError(
            "scenes are drawn, so options about files mean nothing to them",
            "--split, --sample, --seed and --max-captions do",
        )


def collect_catalogue(
    store: Store, request: ReadRequest, progress: Progress, *, replace_name: bool = False
) -> Collected:
    """Draw the demo's catalogue below the store's artifacts and read its table as any other.

    Captions are composed by TEMPLATE unless the request says how. Raises DatasetError where it asks for other files,
    and as `collect` does.
    """
    from clipbench.demo import catalogue_files

    if request.images is not None or request.meta is not None or request.captions_only:
        raise DatasetError(
            "the catalogue is drawn, so no other files belong to it",
            "leave --images, --meta and --captions-only out",
        )
    check_request_name(request)
    folder = store.home.artifacts / CATALOGUE
    table = catalogue_files.draw(folder, progress=Reporting(progress, "products drawn"))
    columns = request.columns
    if not columns.templates and columns.caption is None:
        columns = replace(columns, templates=(parse_template(TEMPLATE),))
    found = read(
        replace(request, captions=table, format="csv", images=folder, columns=columns),
        Reporting(progress, "photographs"),
    )
    found = replace(found, dataset=replace(found.dataset, format=CATALOGUE))
    return keep(store, found, request, replace_name=replace_name)


Collect: TypeAlias = Callable[..., Collected]

DRAWN: Mapping[str, Collect] = {SCENES: collect_scenes, CATALOGUE: collect_catalogue}
"""How each of these comes into the store."""
