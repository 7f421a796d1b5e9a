"""Toy failures, samples, assignments and labels for the tests of the failure loop; no test is in here."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from store_toys import count, new_store, toy_dataset

from clipbench.errors import InputError
from clipbench.failures.items import (
    CONTROL,
    FAILURE,
    Assignment,
    Failure,
    FailureSample,
    SampledFailure,
    Task,
)
from clipbench.failures.sampling import Stratum
from clipbench.failures.suggestions import Suggestion
from clipbench.keys import file_digest
from clipbench.records import Caption, Dataset, Sample
from clipbench.store.annotations import Batch, NewLabel, Source, label_history, save_batches
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import save_assignment, save_sample, save_suggestions
from clipbench.study.annotation.assign import AssignRequest, plan
from clipbench.study.annotation.importing import ImportedFile, ImportRequest, import_labels


def toy_failure(dataset: Dataset, caption: int, retrieved: int) -> Failure:
    """Caption number `caption` of a dataset found image number `retrieved`."""
    owner = int(dataset.owners[caption])
    return Failure(
        fingerprint=dataset.fingerprint,
        direction="t2i",
        caption_id=dataset.captions[caption].id,
        image_id=dataset.samples[owner].id,
        retrieved_id=dataset.samples[retrieved].id,
        caption=caption,
        image=owner,
        retrieved=retrieved,
    )


def toy_sample(dataset: Dataset, run: str = "run:0") -> FailureSample:
    """Every caption of image i found image i + 1; the first caption is drawn as a control too."""
    count = len(dataset.samples)
    items = [
        SampledFailure(
            toy_failure(dataset, caption, (int(dataset.owners[caption]) + 1) % count),
            FAILURE,
            "all",
            2.0 + caption,
            0.25,
            0.5 + caption / 8,
        )
        for caption in range(len(dataset.captions))
    ]
    items.append(SampledFailure(toy_failure(dataset, 0, 0), CONTROL, "", 1.0, 0.75, 0.5))
    strata = (Stratum("all", len(items) - 1, len(items) - 1),)
    request = {"n": len(items) - 1, "seed": 42}
    return FailureSample(run, dataset.key, "t2i", request, strata, len(items) - 1, tuple(items))


def label(failure: Failure, category: str | None, subtype: str | None = None, note: str = "") -> NewLabel:
    return NewLabel(failure, category, subtype, category or "", subtype or "", (), note)


def give(store: Store, dataset: Dataset, annotator: str, *labels: NewLabel, kind: str = "person") -> None:
    save_batches(store, [Batch(annotator, Source("test", f"{annotator}.csv"), dataset.key, labels, kind)])


def toy_loop(store: Store, dataset: Dataset) -> FailureSample:
    """Store a sample of a stored dataset, an assignment, labels of two annotators, and a hint."""
    sample = toy_sample(dataset)
    save_sample(store, sample)
    first, second, *_ = (item.failure for item in sample.failures)
    tasks = (Task("overlap", first), Task("A", second, swapped=True))
    save_assignment(store, Assignment(sample.key, {"parts": ["overlap", "A"], "blind": True}, tasks))
    give(store, dataset, "A", label(first, "Object"), label(second, "Ambiguous", "nearduplicate"))
    give(store, dataset, "B", label(first, "Count", note="three, not two"))
    save_suggestions(store, {first.key: [Suggestion("number", "Count", None, "three against two")]})
    return sample


def pictured_dataset(folder: Path, images: int = 6) -> Dataset:
    """A dataset of two captions an image with real photographs: one plain colour each, 40 × 30 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for number in range(images):
        path = folder / f"{number}.png"
        Image.new("RGB", (40, 30), (40 * number, 200 - 30 * number, 90)).save(path)
        captions = tuple(
            Caption(f"i{number}#{n}", f"a {'red' if n else 'plain'} thing {number}") for n in range(2)
        )
        samples.append(Sample(f"i{number}", captions, path.name, file_digest(path)))
    return Dataset("photos", "toy", "test", "all", tuple(samples), folder)


def assigned_store(folder: Path) -> Store:
    """A store with a sample of failures of photographs; A and B share three and have three each."""
    made = new_store(folder / "store")
    dataset = pictured_dataset(folder / "photos")
    save_dataset(made, dataset)
    stored = save_sample(made, toy_sample(dataset))
    save_assignment(made, plan(stored, AssignRequest(("A", "B"), overlap=3, per_annotator=3, backup=2)))
    return made


HEAD = "idx,caption,gt_img_idx,pred_img_idx,category,ambiguous_subtype"


DATASET = toy_dataset()  # image i has captions 2i and 2i + 1, "a red thing i j"


def row(idx: int, category: str, subtype: str = "", retrieved: int | None = None) -> str:
    owner = int(DATASET.owners[idx])
    found = (owner + 1) % 3 if retrieved is None else retrieved
    return f"{idx},{DATASET.captions[idx].text},{owner},{found},{category},{subtype}"


def file(tmp_path: Path, *lines: str, name: str = "assign_A.csv", end: str = "\n") -> Path:
    path = tmp_path / name
    path.write_bytes(end.join(lines).encode())
    return path


def take(store: Store, *paths: Path, annotator: str | None = None) -> tuple[ImportedFile, ...]:
    return import_labels(store, ImportRequest(paths, annotator))


def problems(store: Store, *paths: Path, annotator: str | None = None) -> list[tuple[str, int, str]]:
    with pytest.raises(InputError) as caught:
        take(store, *paths, annotator=annotator)
    assert count(store, "annotation") == count(store, "failure") == count(store, "annotator") == 0
    return [(Path(p.file).name, p.line, p.message) for p in caught.value.problems]


def said(store: Store) -> list[str | None]:
    return [label.category for label in label_history(store)]
