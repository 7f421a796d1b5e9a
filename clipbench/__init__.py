"""Retrieval, robustness and failure analysis of CLIP-style models, with honest statistics.

import clipbench as cb
store = cb.open("experiments")
store.add_dataset("mine", "captions.csv", images="photos")
print(store.evaluate("mine", model="demo"))
"""

from __future__ import annotations

from os.path import dirname, isdir
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipbench.api.result import Result as Result
    from clipbench.api.store import Store as Store
    from clipbench.api.store import open as open  # noqa: A004, cb.open is what people type
    from clipbench.api.vectors import evaluate_vectors as evaluate_vectors
    from clipbench.errors import ClipbenchError as ClipbenchError
    from clipbench.version import __version__ as __version__

if not isdir(f"{__path__[0]}/store"):  # noqa: PTH112  # pathlib is not loaded yet, and every start waits for this
    # A checkout whose links came out as text files, as git makes them on Windows: the outer folders stand beside this
    # one. Installed, they are in here.
    __path__.append(dirname(__path__[0]))  # noqa: PTH120

_DOOR = {
    "__version__": ("clipbench.version", "__version__"),
    "open": ("clipbench.api.store", "open"),
    "Store": ("clipbench.api.store", "Store"),
    "Result": ("clipbench.api.result", "Result"),
    "evaluate_vectors": ("clipbench.api.vectors", "evaluate_vectors"),
    "ClipbenchError": ("clipbench.errors", "ClipbenchError"),
}
"""What the package offers, and where it is: loaded when it is first asked for, so that the command line starts at once."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _DOOR:
        raise AttributeError(f"module 'clipbench' has no attribute {name!r}")
    module, attribute = _DOOR[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return [*_DOOR]
