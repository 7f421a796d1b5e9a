"""The state of a fine-tuning as a safetensors file, which may be as large as several models."""

from __future__ import annotations

import json
from pathlib import Path

from clipbench.adapters.training import State
from clipbench.adapters.weights import log_json, log_of
from clipbench.errors import ClipbenchError

NOW, BEST = "now.", "best."


def save_state(state: State, path: Path) -> None:
    """Write a state to a file."""
    from safetensors.torch import save_file

    tensors = {NOW + k: v for k, v in state.tensors.items()} | {BEST + k: v for k, v in state.best.items()}
    # Copies, since safetensors refuses tensors that share memory.
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    save_file(copies, path, {"log": json.dumps(log_json(state.log))})


def load_state(path: Path) -> State:
    """Return the state of `save_state`. Raises ClipbenchError for any other file, OSError where there is none."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no iterator
            log = log_of(json.loads((file.metadata() or {})["log"]))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ClipbenchError(f"{path} holds no state of a fine-tuning: {error}") from error
    now, best = (
        {name.removeprefix(part): value for name, value in tensors.items() if name.startswith(part)}
        for part in (NOW, BEST)
    )
    return State(now, best, log)
