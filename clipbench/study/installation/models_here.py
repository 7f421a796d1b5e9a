"""Which models can be used on this machine now: bundled, in folders, downloaded, or known to a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clipbench.encoders import machine
from clipbench.encoders.machine import LocalModel as LocalModel  # noqa: PLC0414, tables take it from here
from clipbench.encoders.machine import UsualModel as UsualModel  # noqa: PLC0414, handed on
from clipbench.home import Home
from clipbench.store.adapters import list_adapters
from clipbench.store.encoders import list_encoders
from clipbench.store.engine import open_store
from clipbench.store.protected import is_there
from clipbench.study.embedding.model_words import ADAPTER, DEMO, IMPORTED

DEMO_WORDS = "comes with clipbench; knows drawn scenes only, no photographs"


def models_here(home: Home, folders: Sequence[Path], *, tags: bool = True) -> tuple[LocalModel, ...]:
    """Return every model that needs no download, each once, the bundled one last.

    folders: where to look besides the caches of open_clip and Hugging Face. tags: also published weights of
    open_clip, which takes seconds to import. A store that is not there has no models.
    """
    found: dict[tuple[str, str | None], LocalModel] = {}
    for one in (*machine.models_in(folders), *_stored(home), *machine.models_in_hub_cache()):
        found.setdefault((one.model, one.pretrained), one)
    for one in machine.downloaded_tags() if tags else ():
        found.setdefault((one.model, one.pretrained), one)
    found.setdefault((DEMO, None), demo())
    return tuple(found.values())


def demo() -> LocalModel:
    """Return the bundled model."""
    from clipbench.demo import model_folder
    from clipbench.encoders.sources import folder_files

    return LocalModel(DEMO, None, DEMO_WORDS, folder_files(model_folder())[1].stat().st_size)


def _stored(home: Home) -> Iterator[LocalModel]:
    """Yield the folders that a store has vectors of, its adapters, and vectors that were made elsewhere."""
    if not is_there(home):
        return
    store = open_store(home, create=False, to_read=True)
    for stored in list_encoders(store):
        identity = stored.identity
        if identity.kind == "imported":
            yield LocalModel(
                f"{IMPORTED}{identity.label.removeprefix(IMPORTED)}", None, "vectors in this store", 0
            )
        prefix, colon, place = identity.spec.partition(":")
        if colon and prefix in {"local-dir", "hf"} and Path(place).is_dir() and not _is_demo(Path(place)):
            yield from machine.models_in([Path(place)])
    for adapter in list_adapters(store):
        yield LocalModel(f"{ADAPTER}{adapter.name}", None, "adapter in this store", 0)


def _is_demo(folder: Path) -> bool:
    from clipbench.demo import model_folder

    return folder.absolute() == model_folder().absolute()
