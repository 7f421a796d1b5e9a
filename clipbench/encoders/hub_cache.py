"""Where downloaded weights lie on this machine, and whether downloading is allowed.

Reads the environment and the file system only; no network, no torch.
"""

from __future__ import annotations

import os
from pathlib import Path

_TRUE = {"1", "on", "yes", "true"}


def hub_folder() -> Path:
    """Return the Hugging Face cache: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub."""
    explicit = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if explicit:
        return Path(explicit).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def url_folder() -> Path:
    """Return the folder in which open_clip keeps weights it downloaded by address."""
    return Path("~/.cache/clip").expanduser()


def is_offline() -> bool:
    """Return whether HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) forbids the network."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return any(os.environ.get(name, "").strip().lower() in _TRUE for name in names)


def cached_revision(repository: str) -> str | None:
    """Return the commit that `main` of a hub repository had when it was downloaded, None where it was not."""
    head = _repository_folder(repository) / "refs" / "main"
    return head.read_text(encoding="ascii").strip() if head.is_file() else None


def cached_file(repository: str, file: str) -> Path | None:
    """Return the cached copy of a hub file at the downloaded revision of `main`, None where there is none."""
    revision = cached_revision(repository)
    if revision is None:
        return None
    path = _repository_folder(repository) / "snapshots" / revision / file
    return path if path.is_file() else None


def _repository_folder(repository: str) -> Path:
    return hub_folder() / f"models--{repository.replace('/', '--')}"
