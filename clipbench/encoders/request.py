"""What a command line says of a model, unparsed: every backend reads it in its own way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What --model, --pretrained, --precision and --device say, unparsed, and an activation asked for from Python."""

    model: str
    pretrained: str | None = None
    precision: str = "fp32"
    device: str = "auto"
    quickgelu: bool | None = None

    @property
    def rest(self) -> str:
        """What follows the prefix, the whole of it where there is none."""
        return self.model.partition(":")[2] or self.model
