"""The identity of weights: a digest of the tensors themselves, whatever file they came in.

Also keeps unpickling of checkpoints to tensors. Knows no architecture.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import is_zipfile

from clipbench.keys import Json, digest

if TYPE_CHECKING:
    import torch

_GUARD = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def weights_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the digest of every tensor's name, number format, shape and bytes, in order of name.

    Tensors are hashed in parallel (hashing releases the interpreter): about 1 GB/s and core.
    """
    names = sorted(tensors)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        hashes = list(pool.map(lambda name: _tensor_hash(tensors[name]), names))
    rows: list[Json] = [
        [name, str(tensors[name].dtype), list(tensors[name].shape), content]
        for name, content in zip(names, hashes, strict=True)
    ]
    return digest("weights", rows)


def _tensor_hash(tensor: torch.Tensor) -> str:
    import torch

    plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.sha256(plain.numpy().data).hexdigest()


def resized_positions(path: Path, tensors: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Return a note for each position embedding of a checkpoint that is of another length than the model's.

    open_clip stretches them without a word, as if the model had been trained at that size.
    tensors: the state of the loaded model.
    """
    shapes = _shapes(path)
    notes = []
    for name in ("visual.positional_embedding", "positional_embedding", "text.positional_embedding"):
        # A checkpoint may hold the text tower under its old names, without "text.".
        stored = shapes.get(name) or shapes.get(name.removeprefix("text."))
        if name in tensors and stored and stored[0] != len(tensors[name]):
            notes.append(
                f"{path.name} has {stored[0]} {name}s and the model {len(tensors[name])}: they were interpolated"
            )
    return tuple(notes)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors in a checkpoint, read from its table of contents where it has one."""
    import torch

    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  # no iterator
    if path.suffix in {".npz", ".npy"}:  # big_vision weights, which open_clip converts one by one
        return {}
    checkpoint = torch.load(path, map_location="cpu", mmap=is_zipfile(path), weights_only=True)
    state = checkpoint.get("state_dict", checkpoint)
    return {
        name.removeprefix("module."): tuple(value.shape)
        for name, value in state.items()
        if isinstance(value, torch.Tensor)
    }


@contextmanager
def tensors_only() -> Iterator[None]:
    """Within it torch.load refuses everything but tensors, even where a caller's fallback asks for more.

    open_clip retries without `weights_only` on a TypeError, which a crafted file could provoke.
    """
    before = os.environ.get(_GUARD)
    os.environ[_GUARD] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_GUARD]
        else:
            os.environ[_GUARD] = before
