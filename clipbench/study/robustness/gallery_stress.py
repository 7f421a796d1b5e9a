"""All gallery-side stress of one dataset and model: sizes, distractors, hard negatives, each as stored runs."""

from __future__ import annotations

from dataclasses import dataclass

from clipbench.errors import ClipbenchError
from clipbench.records import Protocol
from clipbench.store.datasets import load_dataset
from clipbench.store.runs import StoredRun
from clipbench.study.embedding.models import VectorSource
from clipbench.study.robustness.distractors import distractor_run
from clipbench.study.robustness.gallery_sizes import default_sizes, size_run
from clipbench.study.robustness.hard_negatives import controls, hard_negative_runs
from clipbench.study.robustness.stress import ground
from clipbench.study.workplace.progress import Progress


@dataclass(frozen=True)
class StressRequest:
    """What to do to the gallery. sizes: numbers of images, round ones by default.

    distractors: names of datasets whose images are added. hard_negatives: whether meaning-changed copies of
    the captions are; controls: by these operations, all by default. seed: of the copies.
    """

    sizes: tuple[int, ...] = ()
    distractors: tuple[str, ...] = ()
    hard_negatives: bool = True
    controls: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class StressRuns:
    """The stored runs. hard_negatives: first of all copies together, then of each operation's; one where it is alone."""

    clean: StoredRun
    sizes: StoredRun
    distractors: tuple[tuple[str, StoredRun], ...]
    hard_negatives: tuple[StoredRun, ...]


def stress_gallery(
    name: str,
    source: VectorSource,
    request: StressRequest,
    progress: Progress,
    allow_missing: float = 0.0,
) -> StressRuns:
    """Return the runs of every stress that is asked for; what is stored is neither encoded nor ranked again.

    Raises DatasetError, EncoderError or StoreError with the next command; StoppedError on Ctrl-C.
    """
    if source.identity.kind == "imported" and request.hard_negatives:
        raise ClipbenchError(
            f"{source.identity.label} cannot encode fooling captions: its vectors were made elsewhere",
            "--no-fooling",
        )
    operations = controls(request.controls)
    others = [load_dataset(source.store, other) for other in request.distractors]
    base = ground(load_dataset(source.store, name), source, Protocol(), progress, allow_missing)
    images = len(base.gallery.images)
    if images < 2:
        raise ClipbenchError(f"{name} has {images} image to rank; a gallery to stress has 2 or more")
    return StressRuns(
        clean=base.run,
        sizes=size_run(base, request.sizes or default_sizes(images)),
        distractors=tuple(
            (other.name, distractor_run(base, other, progress, allow_missing)) for other in others
        ),
        hard_negatives=hard_negative_runs(base, operations, request.seed, progress)
        if request.hard_negatives
        else (),
    )
