"""Fine-tuning a model in a store: found where it was done before, gone on with where it was stopped.

The result is a model of its own, in a folder that `local-dir:` takes. Epochs are chosen on the validation set, with
the model's own evaluation; the test set is no business of fine-tuning and is not seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.adapters.finetuning import FinetuneRecipe, finetune
from clipbench.adapters.state_files import load_state, save_state
from clipbench.adapters.training import State
from clipbench.adapters.unfreezing import unfreeze
from clipbench.adapters.weights import log_json
from clipbench.errors import ClipbenchError, StoppedError
from clipbench.keys import Json, digest, short
from clipbench.records import Dataset
from clipbench.store.adapters import AdapterRecord, find_by_request
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.study.adapting.fair import checked_scores
from clipbench.study.adapting.model_folders import NewModel, model_request, refuse_taken_name, save_model
from clipbench.study.adapting.prepared import Prepared, changeable, prepare, towers_of, tunable
from clipbench.study.adapting.splits import Split, load_split, refuse_shared, seen_before
from clipbench.study.adapting.training import Listen, Trained, split_notes
from clipbench.study.embedding.models import EncoderSource, VectorSource
from clipbench.study.output.whole_files import whole_file
from clipbench.study.workplace.progress import Progress

if TYPE_CHECKING:
    from clipbench.encoders.openclip import OpenClipEncoder

CLOSE = 0.5
"""RSUM by which the copy may score otherwise than the model's stored vectors: on an accelerator sums are not exact."""


@dataclass(frozen=True)
class FinetuneRequest:
    """What to fine-tune: names of the stored datasets, the recipe, and the model's name or None."""

    train: str
    validation: str
    recipe: FinetuneRecipe
    name: str | None = None
    allow_missing: float = 0.0


def recipe_json(recipe: FinetuneRecipe) -> dict[str, Json]:
    """Return a recipe as JSON; but for what learns, only what is not at its default, so that a field may come later.

    What does not matter to it is left out: a rank where nothing is of low rank, the rate of a probe that is not made.
    """
    values = asdict(recipe)
    defaults = {one.name: one.default for one in fields(FinetuneRecipe)}
    idle = {"rank"} if recipe.part != "lora" else set()
    idle |= set() if recipe.probe else {"probe_rate"}
    idle |= {"rate", "decay"} if recipe.part == "bn-stats" else set()
    kept = {name: value for name, value in values.items() if value != defaults[name] and name not in idle}
    return {"part": recipe.part, **kept}


def request_key(base: str, train: Dataset, validation: Dataset, recipe: FinetuneRecipe) -> str:
    """Return the key of a fine-tuning: base encoder (by key), both datasets, every hyper-parameter."""
    content: dict[str, Json] = {
        "base": base,
        "train": train.key,
        "validation": validation.key,
        "recipe": recipe_json(recipe),
    }
    return digest("finetuning", content)


def finetune_model(
    source: VectorSource, request: FinetuneRequest, progress: Progress, listen: Listen = lambda _e, _b: None
) -> Trained:
    """Fine-tune an open_clip model and store the result, or find it where it was done before.

    Raises DatasetError where the datasets share an image, EncoderError for a model whose weights cannot learn,
    StoppedError on Ctrl-C: the same command then goes on after the last finished epoch.
    """
    store = source.store
    train, validation = (load_dataset(store, name) for name in (request.train, request.validation))
    refuse_shared(train, validation)
    key = request_key(source.identity.key, train, validation, request.recipe)
    refuse_taken_name(store, request.name, key)
    known = find_by_request(store, key)
    if known is not None:
        model_request(store, known)
        return Trained(known, created=False, notes=())
    encoder = tunable(source)
    splits = [
        load_split(source, one, progress, request.allow_missing) for one in (train.name, validation.name)
    ]
    tuned = changeable(encoder)
    state = _tuned(
        tuned, request.recipe, (splits[0], splits[1]), unfinished_file(store, key), (progress, listen)
    )
    stored = _store(source, encoder, request, key, (splits[0], splits[1], state))
    unfinished_file(store, key).unlink(missing_ok=True)
    notes = list(split_notes(splits[0], splits[1], seen_before(splits[0], splits[1])))
    if state.best_epoch.number == 0:
        notes.append(
            f"no epoch did better on {validation.name} than no change: {stored.name} is the base itself"
        )
    return Trained(stored, created=True, notes=tuple(notes))


def unfinished_file(store: Store, key: str) -> Path:
    """Return the file in which a fine-tuning that was stopped lies."""
    return store.home.artifacts / "training" / f"{short(key, 40)}.safetensors"


def _tuned(
    encoder: OpenClipEncoder,
    recipe: FinetuneRecipe,
    splits: tuple[Split, Split],
    unfinished: Path,
    listeners: tuple[Progress, Listen],
) -> State:
    progress, listen = listeners
    learned, chosen = (
        prepare(encoder, split, name, progress)
        for split, name in zip(splits, ("the training set", "validation"), strict=True)
    )
    towers, pairs = towers_of(encoder), learned.pairs(encoder)
    state = resumed(unfinished)
    steps = pairs.steps(recipe.batch)
    bar = progress.start("batches", steps * recipe.total)
    if state is None:
        _refuse_other_figures(encoder, chosen)
    else:
        progress.advance(bar, steps * (len(state.log) - 1))

    def finished(now: State) -> None:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(unfinished, force=True) as partial:
            save_state(now, partial)
        listen(now.log[-1], now.best_epoch)

    with _kept(unfinished, recipe):
        return finetune(
            recipe,
            towers,
            pairs,
            lambda: chosen.scores(encoder),
            finished,
            lambda: progress.advance(bar),
            state,
        )


@contextmanager
def _kept(path: Path, recipe: FinetuneRecipe) -> Iterator[None]:
    """Turn Ctrl-C into a message that says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        state = resumed(path)
        done = len(state.log) - 1 if state else 0
        best = f", the best of them epoch {state.best_epoch.number}" if state else ""
        raise StoppedError(
            f"interrupted: the finished epochs are kept ({done} of {recipe.total}){best}",
            "the same command again goes on where this one stopped",
        ) from None


def resumed(path: Path) -> State | None:
    """Return where a fine-tuning stopped, None where it did not begin or its file is of no use."""
    try:
        return load_state(path)
    except (FileNotFoundError, ClipbenchError):
        return None  # it is begun again, which loses time and nothing else


def _refuse_other_figures(encoder: OpenClipEncoder, chosen: Prepared) -> None:
    """Raise ClipbenchError where the untrained copy does not score what the model's stored vectors score."""
    split = chosen.split
    stored = checked_scores(split.gallery.samples, split.images, split.texts, split.owners)
    copy = chosen.scores(encoder)
    if abs(copy["rsum"] - stored["rsum"]) > CLOSE:
        raise ClipbenchError(
            f"the untrained copy has an RSUM of {copy['rsum']:.1f} on {split.dataset.name}, and the model's stored "
            f"vectors {stored['rsum']:.1f}: one of them is not this model",
            "clipbench store verify",
        )


def _store(
    source: VectorSource,
    encoder: OpenClipEncoder,
    request: FinetuneRequest,
    key: str,
    result: tuple[Split, Split, State],
) -> AdapterRecord:
    train, validation, state = result
    if type(source) is not EncoderSource:
        raise TypeError("only a model that was loaded from its own files was fine-tuned")
    recipe = request.recipe
    record: dict[str, Json] = {
        "recipe": recipe_json(recipe),
        "loss": "none" if recipe.part == "bn-stats" else towers_of(encoder).loss,
        "dimension": encoder.identity.dimension,
        "train": {"key": train.dataset.key, "name": train.dataset.name},
        "validation": {"key": validation.dataset.key, "name": validation.dataset.name},
        "base": {"key": source.identity.key, "label": source.identity.label, "spec": source.request.model},
        "best_epoch": state.best_epoch.number,
        "parameters": unfreeze(changeable(encoder).model, recipe.part, rank=recipe.rank).parameters,
    }
    tensors = {**encoder.model.state_dict(), **state.best}
    new = NewModel(key, recipe.part, request.name, record, log_json(state.log), tensors)  # type: ignore[arg-type]  # JSON objects
    return save_model(source.store, source, new)
