"""What a worker does: load the model once, say what it is, make shard files. Knows no Ray and opens no database.

What goes wrong is returned as data: errors of ours have two words to say and do not survive pickling.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clipbench.encoders.protocol import Encoder
from clipbench.encoders.request import ModelRequest
from clipbench.errors import ClipbenchError
from clipbench.records import EncoderIdentity
from clipbench.store.vectors import ShardPlace
from clipbench.study.embedding.encode import Bar, Picture, Render, ShardTask
from clipbench.study.embedding.making import encode_shard
from clipbench.study.embedding.models import load_model
from clipbench.study.workplace.progress import Silent
from clipbench.version import __version__

PROBLEMS = 3
"""Differences between two encoders that a message names."""


@dataclass(frozen=True, slots=True)
class Order:
    """Which model a worker is to load, and what that must turn out to be.

    threads: with how many it computes, for the last bits of a small batch depend on it; None for whatever there are.
    version: of clipbench itself.
    """

    request: ModelRequest
    identity: EncoderIdentity
    threads: int | None = None
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a worker cannot do what it was asked, as a ClipbenchError says it."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker that has loaded the right model: where it runs, and on what."""

    host: str
    device: str
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Written:
    """A shard whose file is in place.

    unreadable: photographs that have no vector, by id, and why. absent: those of them whose file is not there.
    encoding, writing: seconds.
    """

    unreadable: dict[str, str] = field(default_factory=dict)
    absent: tuple[Picture, ...] = ()
    encoding: float = 0.0
    writing: float = 0.0


class Worker:
    """One loaded model in a process of its own, on whatever machine."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._encoder: Encoder | None = None

    def start(self) -> Ready | Refusal:
        """Load the model, and refuse where it is not the one that was ordered."""
        began = time.monotonic()
        if self._order.version != __version__:
            return Refusal(
                f"{place()} has clipbench {__version__}, the one that asks has {self._order.version}",
                "install the same version on all machines",
            )
        if self._order.threads is not None:
            import torch

            torch.set_num_threads(self._order.threads)
        try:
            encoder = load_model(self._order.request)
        except ClipbenchError as error:
            return Refusal(f"{place()} cannot load the model: {error.message}", error.hint)
        if encoder.identity.key != self._order.identity.key:
            told = difference(encoder.identity, self._order.identity)
            return Refusal(
                f"{place()} has another encoder than this machine: {told}",
                "weights, precision and library versions must be the same on all machines",
            )
        self._encoder = encoder
        return Ready(place(), encoder.device, encoder.notes, time.monotonic() - began)

    def make(self, where: ShardPlace, task: ShardTask, render: Render | None = None) -> Written | Refusal:
        """Encode a shard and put its file into its place."""
        if self._encoder is None:
            return Refusal(f"{place()} was not started")
        began = time.monotonic()
        try:
            done = encode_shard(task, self._encoder, Bar(Silent(), 0), render)
            encoded = time.monotonic()
            if done.keys:
                where.write(done.keys, done.vectors)
        except ClipbenchError as error:
            return Refusal(f"{named(task)}, on {place()}: {error.message}", error.hint)
        except Exception as error:  # whatever a model raises is told with the items it was at
            told = " ".join(str(error).split())[:300]
            return Refusal(f"{named(task)}, on {place()}: {type(error).__name__}: {told}")
        absent = tuple(p for p in task.pictures if p.id in done.unreadable and not is_there(p.path))
        return Written(dict(done.unreadable), absent, encoded - began, time.monotonic() - encoded)


def is_there(path: Path) -> bool:
    """Whether a photograph's file is there, or the larger file that it lies in."""
    return path.exists() or any(parent.is_file() for parent in path.parents)


def place() -> str:
    """Return what to call this process: its machine and its number."""
    return f"{socket.gethostname()} (process {os.getpid()})"


def named(task: ShardTask) -> str:
    """Return what to call a shard: how many items it has, the first and the last."""
    items: Sequence[str] = [p.id for p in task.pictures] or [repr(text[:60]) for text in task.texts]
    what = "photographs" if task.pictures else "captions"
    return f"the shard of {len(items):,} {what} from {items[0]} to {items[-1]}"


def difference(found: EncoderIdentity, asked: EncoderIdentity) -> str:
    """Return in which of its properties an encoder is another one, for people."""
    has, wants = asdict(found), asdict(asked)
    words = [
        f"{name} {str(has[name])[:60]} instead of {str(wants[name])[:60]}"
        for name in ("weights", "architecture", "activation", "precision", "dimension", "versions")
        if has[name] != wants[name]
    ]
    words += [name for name in ("preprocessing", "tokenizer", "kind") if has[name] != wants[name]]
    return "; ".join(words[:PROBLEMS])
