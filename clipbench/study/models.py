"""A requested model, loaded only when a vector is lacking.

The store remembers which encoder a request turned out to be (by a signature that is cheap to compute),
so a command whose vectors are all stored never loads torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clipbench.encoders.specification import ModelSpec, parse, signature
from clipbench.errors import EncoderError
from clipbench.records import EncoderIdentity
from clipbench.store.encoders import find_encoder, list_encoders, save_encoder
from clipbench.store.engine import Store
from clipbench.study.progress import Progress, Silent

if TYPE_CHECKING:
    from clipbench.encoders.protocol import Encoder

DEMO = "demo"
"""The word that stands for the bundled tiny model; it is loaded as `local-dir:` like any other."""


IMPORTED = "imported:"
"""`--model imported:WORDS` means vectors that `embed import` attached under these words."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What --model, --pretrained, --precision, --device and --quickgelu say, unparsed."""

    model: str
    pretrained: str | None = None
    precision: str = "fp32"
    device: str = "auto"
    quickgelu: bool | None = None


def model_spec(request: ModelRequest) -> ModelSpec:
    """Return the open_clip request behind the words.

    Raises EncoderError where the words contradict one another or name nothing.
    """
    model = request.model
    if model == DEMO:
        from clipbench.demo import model_folder

        model = f"local-dir:{model_folder()}"
    return parse(
        model,
        request.pretrained,
        precision=request.precision,
        device=request.device,
        quickgelu=request.quickgelu,
    )


class EncoderSource:
    """One requested encoder in one store: its identity at once, its weights when they are needed.

    progress: who is told that a model is being loaded, which takes seconds; nobody unless it is set.
    """

    def __init__(self, store: Store, request: ModelRequest) -> None:
        self.store = store
        self.request = request
        self.imported = request.model.startswith(IMPORTED)
        self.progress: Progress = Silent()

    @cached_property
    def spec(self) -> ModelSpec:
        """The parsed request."""
        return model_spec(self.request)

    @cached_property
    def encoder(self) -> Encoder:
        """The loaded model. Raises EncoderError where it cannot be loaded, or not with certainty."""
        if self.imported:
            raise EncoderError(
                f"{self.identity.label} cannot encode: its vectors were made elsewhere",
                "clipbench embed import attaches the side that is lacking",
            )
        bar = self.progress.start("loading the model", 1)
        from clipbench.encoders.loading import load  # torch alone takes seconds

        loaded = load(self.spec)
        self.progress.advance(bar)
        return loaded

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What the encoder is: remembered from an earlier load, else found by loading it."""
        if self.imported:
            return self._imported_identity()
        remembered = find_encoder(self.store, signature(self.spec))
        if remembered is not None:
            return remembered
        identity = self.encoder.identity
        if self.store.source is None:  # where nothing may be written, it is found by loading every time
            # The signature is taken again: a model may have been downloaded in between.
            save_encoder(self.store, identity, signature(self.spec))
        return identity

    @property
    def notes(self) -> tuple[str, ...]:
        """What the loaded encoder has to say of itself; empty while it is not loaded."""
        return self.encoder.notes if "encoder" in self.__dict__ else ()

    @property
    def device(self) -> str | None:
        """Where the loaded encoder runs; None while it is not loaded."""
        return self.encoder.device if "encoder" in self.__dict__ else None

    def _imported_identity(self) -> EncoderIdentity:
        known = {
            e.identity.label: e.identity for e in list_encoders(self.store) if e.identity.kind == "imported"
        }
        if self.request.model not in known:
            names = ", ".join(sorted(known)) or "none"
            raise EncoderError(
                f"no vectors were imported as {self.request.model!r}; there are: {names}",
                "clipbench embed import DATASET --model WORDS --images FILE",
            )
        return known[self.request.model]
