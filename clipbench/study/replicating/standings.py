"""The leaderboards of an experiment: of its own models on its own datasets, whatever else the store holds."""

from __future__ import annotations

import shlex

from clipbench.store.engine import Store
from clipbench.store.protocols import protocol_words
from clipbench.store.queries import RunFilter, list_runs
from clipbench.study.comparing.comparison import CompareRequest
from clipbench.study.comparing.leaderboard import Leaderboard, leaderboards
from clipbench.study.embedding.models import ModelRequest
from clipbench.study.embedding.sources import open_source
from clipbench.study.replicating.experiment import Experiment


def standings(store: Store, experiment: Experiment) -> tuple[Leaderboard, ...]:
    """Return a table for each dataset, in the order of the file. Raises CompareError where nothing was measured."""
    encoders = {_encoder(store, model) for model in experiment.models}
    found: list[Leaderboard] = []
    for dataset in experiment.datasets:
        filters = RunFilter(dataset=dataset)
        own = {
            run.key
            for run in list_runs(store, filters)
            if run.encoder_key in encoders and not run.method and not protocol_words(run.protocol)
        }
        request = CompareRequest(metrics=(experiment.metric,))
        found += leaderboards(store, filters, request, direction=experiment.direction, only=own)
    return tuple(found)


def _encoder(store: Store, model: str) -> str:
    word, *options = shlex.split(model)
    given = dict(zip(options[::2], options[1::2], strict=False))
    pretrained = given.get("--pretrained") or given.get("-p")
    request = ModelRequest(word, pretrained, given.get("--precision", "fp32"), given.get("--device", "auto"))
    return open_source(store, request).identity.key
