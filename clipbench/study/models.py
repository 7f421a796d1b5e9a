"""A requested model, loaded only when a vector is lacking.

The store remembers which encoder a request turned out to be (by a signature that is cheap to compute),
so a command whose vectors are all stored never loads torch.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from clipbench.encoders.specification import ModelSpec, parse, signature
from clipbench.records import EncoderIdentity
from clipbench.store.encoders import find_encoder, save_encoder
from clipbench.store.engine import Store

if TYPE_CHECKING:
    from clipbench.encoders.protocol import Encoder

DEMO = "demo"
"""The word that stands for the bundled tiny model; it is loaded as `local-dir:` like any other."""


def model_spec(
    model: str, pretrained: str | None = None, *, precision: str = "fp32", device: str = "auto"
) -> ModelSpec:
    """Return the request that --model, --pretrained, --precision and --device make.

    Raises EncoderError where the words contradict one another or name nothing.
    """
    if model == DEMO:
        from clipbench.demo import model_folder

        model = f"local-dir:{model_folder()}"
    return parse(model, pretrained, precision=precision, device=device)


class EncoderSource:
    """One requested encoder in one store: its identity at once, its weights when they are needed."""

    def __init__(self, store: Store, spec: ModelSpec) -> None:
        self.store = store
        self.spec = spec

    @cached_property
    def encoder(self) -> Encoder:
        """The loaded model. Raises EncoderError where it cannot be loaded, or not with certainty."""
        from clipbench.encoders.loading import load

        return load(self.spec)

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What the encoder is: remembered from an earlier load, else found by loading it."""
        remembered = find_encoder(self.store, signature(self.spec))
        if remembered is not None:
            return remembered
        identity = self.encoder.identity
        # The signature is taken again: a model may have been downloaded in between.
        save_encoder(self.store, identity, signature(self.spec))
        return identity

    @property
    def notes(self) -> tuple[str, ...]:
        """What the loaded encoder has to say of itself; empty while it is not loaded."""
        return self.encoder.notes if "encoder" in self.__dict__ else ()
