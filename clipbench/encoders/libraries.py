"""Imports torch and open_clip, and says what to do where the installation is broken.

The libraries take seconds to import, so they are imported when a model is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from clipbench.errors import EncoderError

REPORTED = ("open_clip_torch", "torch", "torchvision", "timm", "transformers", "numpy", "pillow")


def require_libraries() -> None:
    """Import torch, torchvision and open_clip.

    A torchvision built for another torch fails here, as an ImportError or as a RuntimeError such as
    "operator torchvision::nms does not exist". Raises EncoderError with the command that mends it.
    """
    try:
        for name in ("torch", "torchvision", "open_clip"):
            import_module(name)
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        pair = " and ".join(f"{name} {_installed(name)}" for name in ("torch", "torchvision"))
        raise EncoderError(
            f"torch, torchvision and open_clip do not work together here ({pair}): {first}",
            "pip install --force-reinstall torch torchvision",
        ) from error


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that can influence a vector."""
    return {name: found for name in REPORTED if (found := _installed(name)) != "missing"}


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
