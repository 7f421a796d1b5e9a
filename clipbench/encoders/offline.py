"""Which files of a model are already on this machine, and how to fetch those that are not.

Nothing is downloaded and no weights are read. Knows where open_clip and the Hugging Face hub keep files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipbench.encoders.hub_cache import cached_file, hub_folder, url_folder
from clipbench.encoders.libraries import require_libraries
from clipbench.encoders.network import hub_address
from clipbench.encoders.resolution import resolve
from clipbench.encoders.sources import CONFIG, WEIGHTS, checkpoint_file, folder_files, read_config
from clipbench.encoders.specification import ModelSpec
from clipbench.errors import EncoderError

_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "spiece.model", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file a model needs: any one of `names` from a hub repository, or an address ("" = no repository)."""

    what: str
    names: tuple[str, ...]
    repository: str = ""

    @property
    def found(self) -> Path | None:
        """The copy on this machine, None where it must be downloaded first."""
        if self.repository:
            copies = (cached_file(self.repository, name) for name in self.names)
        else:
            paths = (url_folder() / Path(name).name for name in self.names)
            copies = (path if path.is_file() else None for path in paths)
        return next((path for path in copies if path is not None), None)

    def __str__(self) -> str:
        place = f" of {self.repository}" if self.repository else ""
        return f"{self.what} ({' or '.join(self.names)}{place})"

    @property
    def address(self) -> str:
        """The machine it comes from."""
        return hub_address() if self.repository else self.names[0]

    @property
    def command(self) -> str:
        """What to type, on a machine with a network, to fetch it."""
        return f"hf download {self.repository}" if self.repository else f"curl -LO {self.names[0]}"


@dataclass(frozen=True, slots=True)
class OfflineReadiness:
    """Whether a model loads without a network. `present` are files, `missing` says what is not here."""

    label: str
    ready: bool
    present: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()
    cache: str = ""
    hint: str | None = None


def offline_readiness(spec: ModelSpec) -> OfflineReadiness:
    """Return which files of a model are on this machine and which are missing.

    A wrong folder or checkpoint is not ready and says why. Imports open_clip for tags.
    Raises EncoderError where the request names no model that exists.
    """
    try:
        if spec.source == "folder":
            return OfflineReadiness(spec.words, ready=True, present=folder_files(spec.folder))
        if spec.source == "file":
            return OfflineReadiness(spec.words, ready=True, present=(checkpoint_file(spec),))
    except EncoderError as error:
        return OfflineReadiness(spec.words, ready=False, missing=(error.message,), hint=error.hint)
    wanted = wanted_files(spec)
    missing = [want for want in wanted if want.found is None]
    present = tuple(path for want in wanted if (path := want.found) is not None)
    if not missing:
        return OfflineReadiness(spec.words, ready=True, present=present)
    folders = dict.fromkeys(str(hub_folder() if want.repository else url_folder()) for want in missing)
    return OfflineReadiness(
        spec.words,
        ready=False,
        present=present,
        missing=tuple(str(want) for want in missing),
        cache=" and ".join(folders),
        hint=_fetch_hint(missing),
    )


def missing_error(readiness: OfflineReadiness, reason: str = "") -> EncoderError:
    """Return the error that says what is missing, where it would lie, and how to get it there."""
    why = f" ({reason})" if reason else ""
    return EncoderError(
        f"{readiness.label} is not on this machine{why}: missing {'; '.join(readiness.missing)}; "
        f"the cache is {readiness.cache}",
        readiness.hint,
    )


def wanted_files(spec: ModelSpec) -> tuple[Wanted, ...]:
    """Return every file that open_clip would fetch for `spec`, weights first; none for local models."""
    if spec.source == "hub":
        wanted = [Wanted("weights", WEIGHTS, spec.repository), Wanted("config", (CONFIG,), spec.repository)]
        config = cached_file(spec.repository, CONFIG)
        return (*wanted, *_tower_files(read_config(config)["model_cfg"] if config else {}))
    if spec.source in {"toy", "folder", "file"}:
        return ()
    require_libraries()
    import open_clip

    resolved = replace(spec, model=resolve(spec).model)
    towers = _tower_files(open_clip.get_model_config(resolved.model))
    if resolved.source == "random":
        return towers
    return (tag_weights(open_clip.get_pretrained_cfg(resolved.model, resolved.pretrained)), *towers)


def tag_weights(record: Mapping[str, Any]) -> Wanted:
    """Return the file that holds the weights of an open_clip record."""
    hub = record.get("hf_hub", "")
    if not hub:
        return Wanted("weights", (record["url"],))
    repository, _, file = hub.rpartition("/")
    if not file:
        return Wanted("weights", WEIGHTS, repository)
    safe = f"{Path(file).stem}.safetensors"
    names = (safe, file) if file.endswith((".bin", ".pth")) else (file,)
    return Wanted("weights", names, repository)


def _tower_files(model: Mapping[str, Any]) -> tuple[Wanted, ...]:
    text = model.get("text_cfg", {})
    wanted = []
    if text.get("hf_tokenizer_name"):
        wanted.append(Wanted("tokenizer", _TOKENIZER, text["hf_tokenizer_name"]))
    if text.get("hf_model_name"):
        wanted.append(Wanted("text tower config", ("config.json",), text["hf_model_name"]))
    return tuple(wanted)


def _fetch_hint(missing: Sequence[Wanted]) -> str:
    commands = "; ".join(dict.fromkeys(want.command for want in missing))
    return (
        f"with a network: {commands} — then copy the cache folder here, or put the model in a folder "
        "and use --model local-dir:FOLDER"
    )
