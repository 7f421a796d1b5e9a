"""The bundled tiny CLIP, the script that trained it, and the drawn scenes it was trained on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

SCENES, CATALOGUE = "scenes", "catalogue"
"""The formats of datasets that clipbench draws itself instead of reading any."""


def model_folder() -> Path:
    """Return the folder of the bundled model, an ordinary open_clip folder: `local-dir:<folder>`."""
    return Path(str(files("clipbench.demo") / "scenes-clip"))
