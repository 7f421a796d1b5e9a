"""A training that was stopped: the state of its last finished epoch, in a file beside the store's vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clipbench.adapters.training import State
from clipbench.adapters.weights import state_bytes, state_of
from clipbench.errors import ClipbenchError
from clipbench.keys import short
from clipbench.store.engine import Store
from clipbench.study.output.whole_files import whole_file


@dataclass(frozen=True)
class Unfinished:
    """Where the state of a training (by the key of its request) lies until it is done."""

    store: Store
    request: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.store.home.artifacts / "training" / f"{short(self.request, 40)}.safetensors"

    def save(self, state: State) -> None:
        """Keep the state of the last finished epoch, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.path, force=True) as partial:
            partial.write_bytes(state_bytes(state))

    def load(self) -> State | None:
        """Return where training stopped, None where it did not begin or the file is of no use."""
        try:
            return state_of(self.path.read_bytes())
        except (FileNotFoundError, ClipbenchError):
            return None  # it is begun again, which costs seconds and loses nothing

    def remove(self) -> None:
        """Forget it: the training is done."""
        self.path.unlink(missing_ok=True)
