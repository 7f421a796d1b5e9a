"""What a search means that names no dataset or no model: the only one there is, or an error that lists them."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from clipbench.errors import DatasetError, EncoderError
from clipbench.records import CLEAN, EncoderIdentity
from clipbench.store.adapters import list_adapters
from clipbench.store.datasets import list_datasets, load_dataset
from clipbench.store.embeddings import list_sets
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store
from clipbench.study.embedding.model_words import ADAPTER
from clipbench.study.embedding.models import ModelRequest, VectorSource
from clipbench.study.embedding.sources import open_source

NAMED = 6
"""Models that an error message lists, the first embedded first; a scan of adapters leaves dozens."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """A model under which a dataset's photographs have vectors, and what is typed to mean it."""

    identity: EncoderIdentity
    request: ModelRequest

    @property
    def typed(self) -> str:
        """The options that mean it."""
        pretrained = f" --pretrained {quote(self.request.pretrained)}" if self.request.pretrained else ""
        return f"--model {quote(self.request.model)}{pretrained}"


def chosen_dataset(store: Store, name: str | None) -> str:
    """Return the dataset that is meant: the one that is named, else the only one.

    Raises DatasetError where none is named and there are none or several.
    """
    if name is not None:
        return name
    known = [one.name for one in list_datasets(store)]
    if not known:
        raise DatasetError(
            "there is nothing to search: no dataset is stored",
            "clipbench dataset add NAME --images FOLDER --no-captions",
        )
    if len(known) > 1:
        raise DatasetError(
            f"which dataset? There are {len(known)}: {', '.join(known)}", f"--dataset {known[0]}"
        )
    return known[0]


def chosen_source(
    store: Store, dataset: str, named: VectorSource | None, device: str = "auto"
) -> VectorSource:
    """Return the model that is meant: the one that is named, else the only one that the photographs are embedded with.

    Raises EncoderError where none is named and they are embedded with none or several.
    """
    return open_source(store, _only_model(store, dataset, device)) if named is None else named


def _only_model(store: Store, dataset: str, device: str) -> ModelRequest:
    """Return the only model of a dataset's photographs; of one that has none yet, the only one of the store's."""
    found = embeddings(store, dataset, device) or embeddings(store, None, device)
    if len(found) == 1:
        return found[0].request
    if not found:
        raise EncoderError(
            f"{dataset} is not embedded yet, so a model has to be named",
            f"clipbench embed {dataset} --model ViT-B-32-quickgelu --pretrained openai; --model demo for the scenes",
        )
    more = f", and {len(found) - NAMED} more" if len(found) > NAMED else ""
    labels = ", ".join(one.identity.label for one in found[:NAMED]) + more
    raise EncoderError(
        f"which model for {dataset}? There are {len(found)}: {labels}",
        " or ".join(one.typed for one in found[:NAMED]),
    )


def embeddings(store: Store, dataset: str | None, device: str = "auto") -> tuple[Embedding, ...]:
    """Return the models under which the photographs of a dataset have vectors, the first embedded first.

    dataset: None for those of any dataset.
    """
    key = None if dataset is None else load_dataset(store, dataset).key
    encoders = [
        one.encoder
        for one in list_sets(store)
        if (one.modality, one.perturbation) == ("image", CLEAN) and key in {None, one.dataset}
    ]
    return tuple(embedding(store, encoder, device) for encoder in dict.fromkeys(encoders))


def embedding(store: Store, encoder: str, device: str = "auto") -> Embedding:
    """Return an encoder of the store (by key) with what has to be typed to mean it."""
    identity = load_encoder(store, encoder)
    adapted = {one.encoder: one.name for one in list_adapters(store)}
    if encoder in adapted:
        return Embedding(identity, ModelRequest(ADAPTER + adapted[encoder], device=device))
    if identity.kind == "imported":
        return Embedding(identity, ModelRequest(identity.label, device=device))
    model, _, pretrained = identity.spec.partition(" ")
    return Embedding(identity, ModelRequest(model, pretrained or None, identity.precision, device))
