"""Which models lie on this machine, and which names open_clip knows: for people who are about to type --model.

Looks at names and sizes of files only: nothing is downloaded and no weights are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from clipbench.encoders.hub_cache import hub_folder
from clipbench.encoders.offline import Wanted, tag_weights
from clipbench.encoders.resolution import TWIN
from clipbench.encoders.sources import CONFIG, folder_files
from clipbench.encoders.transformers_files import CONFIG as HF_CONFIG
from clipbench.encoders.transformers_files import IMAGES, WEIGHTS
from clipbench.errors import EncoderError

DEPTH, MOST_FOLDERS = 3, 2_000
"""How deep and how many folders are looked into: whoever starts in a home folder does not wait for all of it."""

NEAR = 8
"""Names that are shown where nothing has the name that was asked for."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model whose files are here: what to type, what it is, and the size of its weights in bytes."""

    model: str
    pretrained: str | None
    what: str
    bytes: int


@dataclass(frozen=True, slots=True)
class UsualModel:
    """A published model that people often begin with. megabytes: of its weights in fp32, about."""

    model: str
    pretrained: str
    megabytes: int
    words: str


USUAL = (
    UsualModel(
        "ViT-B-32-quickgelu", "openai", 605, "CLIP of Radford et al. 2021; what most papers compare with"
    ),
    UsualModel("ViT-B-16-quickgelu", "openai", 600, "the same with smaller patches, better and slower"),
    UsualModel("ViT-L-14-quickgelu", "openai", 1710, "the same, large"),
    UsualModel("RN50-quickgelu", "openai", 408, "the same as a ResNet"),
    UsualModel("ViT-B-32", "laion2b_s34b_b79k", 605, "OpenCLIP on LAION-2B"),
    UsualModel("ViT-B-16", "datacomp_xl_s13b_b90k", 600, "on DataComp's filtered pairs"),
    UsualModel("ViT-H-14", "laion2b_s32b_b79k", 3940, "OpenCLIP on LAION-2B, huge"),
    UsualModel("MobileCLIP-S1", "datacompdr", 340, "small and quick, for phones"),
    UsualModel("ViT-B-16-SigLIP", "webli", 813, "SigLIP: sigmoid loss"),
    UsualModel("ViT-B-16-SigLIP2", "webli", 1500, "SigLIP 2, many languages"),
)
"""Good first choices, the best known first; sizes are those of fp32 weights."""


def models_in(folders: Iterable[Path]) -> Iterator[LocalModel]:
    """Yield the models in folders and a few levels below, in the order of their paths."""
    for folder in folders:
        for place in _folders(folder):
            names = {path.name for path in _files(place)}
            if CONFIG in names:
                try:
                    _, weights = folder_files(place)
                except EncoderError:
                    continue  # a config whose weights are not here: --model says what is missing
                yield LocalModel(f"local-dir:{place}", None, "open_clip model in a folder", _size(weights))
            elif {HF_CONFIG, IMAGES} <= names and (total := _transformers_weights(place)):
                yield LocalModel(f"hf:{place}", None, "transformers model in a folder", total)


def models_in_hub_cache() -> Iterator[LocalModel]:
    """Yield the models of the Hugging Face cache that are there whole, by name."""
    for folder in sorted(_listed(hub_folder())):
        head = folder / "refs" / "main"
        if not folder.name.startswith("models--") or not head.is_file():
            continue
        place = folder / "snapshots" / head.read_text(encoding="ascii", errors="replace").strip()
        name = folder.name.removeprefix("models--").replace("--", "/", 1)
        names = {path.name for path in _files(place)}
        if CONFIG in names and (weights := [place / one for one in names if one.startswith("open_clip_")]):
            sizes = [_size(path) for path in weights if path.name != CONFIG]
            if sizes:
                yield LocalModel(f"hf-hub:{name}", None, "open_clip model, downloaded", max(sizes))
        elif {HF_CONFIG, IMAGES} <= names and (total := _transformers_weights(place)):
            yield LocalModel(f"hf:{name}", None, "transformers model, downloaded", total)


def downloaded_tags() -> Iterator[LocalModel]:
    """Yield the published open_clip weights that are on this machine. Imports open_clip."""
    import open_clip

    for model, tag in _typed(open_clip.list_pretrained()):
        found = weights_of(model, tag).found
        if found is not None:
            yield LocalModel(model, tag, "published open_clip weights, downloaded", _size(found))


def weights_of(model: str, tag: str) -> Wanted:
    """Return the file that holds published weights. Imports open_clip."""
    import open_clip

    return tag_weights(open_clip.get_pretrained_cfg(model, tag))


def known_names() -> tuple[tuple[str, str], ...]:
    """Return every (architecture, tag) that open_clip publishes, each with its right activation. Imports open_clip."""
    import open_clip

    return tuple(_typed(open_clip.list_pretrained()))


def matching(word: str, names: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the (architecture, tag) that hold a word, else those that are nearest to it.

    >>> names = [("ViT-B-32", "openai"), ("ViT-B-16", "openai"), ("RN50", "yfcc15m")]
    >>> matching("vit b/32", names), matching("rn5", names), matching("ViT-B-161", names)[0]
    ((('ViT-B-32', 'openai'),), (('RN50', 'yfcc15m'),), ('ViT-B-16', 'openai'))
    """
    known = tuple(names)
    wanted = _plain(word)
    holding = tuple(name for name in known if wanted in _plain(" ".join(name)))
    if holding or not wanted:
        return holding
    by_words = {_plain(part): part for name in known for part in name}
    near = [by_words[one] for one in get_close_matches(wanted, by_words, n=NEAR, cutoff=0.5)]
    ordered = sorted(
        (name for name in known if {*near} & {*name}),
        key=lambda name: min(near.index(part) for part in name if part in near),
    )
    return tuple(ordered[:NEAR])


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def _typed(names: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the names that load as they are: weights trained with QuickGELU under the architecture that has it."""
    import open_clip

    known = [(str(model), str(tag)) for model, tag in names]
    for model, tag in known:
        quick = bool((open_clip.get_pretrained_cfg(model, tag) or {}).get("quick_gelu", False))
        if not (quick and (model + TWIN, tag) in known):
            yield model, tag


def _folders(folder: Path) -> Iterator[Path]:
    for seen, (at, below, _) in enumerate(os.walk(folder), start=1):
        place = Path(at)
        deep = len(place.relative_to(folder).parts) >= DEPTH
        below[:] = [] if deep or seen >= MOST_FOLDERS else sorted(n for n in below if not n.startswith("."))
        yield place


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # not there, or not ours to look into: then nothing is known of it
        return []


def _files(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if path.is_file()]


def _transformers_weights(folder: Path) -> int:
    """Return the bytes of a transformers model's weights, 0 where it has none."""
    sizes = [_size(path) for path in _files(folder) if path.suffix in {".safetensors", ".bin"}]
    return sum(sizes) if any((folder / name).is_file() for name in WEIGHTS) else 0


def _size(path: Path) -> int:
    return path.stat().st_size
