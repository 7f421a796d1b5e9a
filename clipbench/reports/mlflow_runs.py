"""Runs as runs of MLflow: settings as parameters, numbers as metrics, the ledger as an artifact.

A run is known there by its key, which is content: sent again, it is found and not written twice. Source of names and
limits: https://mlflow.org/docs/latest/ml/tracking/tracking-api/.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipbench.errors import ClipbenchError
from clipbench.keys import Json, short
from clipbench.records import Metric
from clipbench.reports.ledger import ledger_table, write_ledger
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_metrics
from clipbench.study.bundles.records import run_json
from clipbench.study.evaluation.methods import method_words
from clipbench.study.runs.loaded import load_run

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

KEY, TAGS = "clipbench.run", "clipbench.tags"
"""Tags of a run over there: its key here, and the tags that hang on it here."""

WORDS_OF_A_PARAMETER = 6000
"""Characters that MLflow takes of a parameter's value."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Unless the environment says otherwise: nothing is told to MLflow's makers, a server that is not there is not waited
for during minutes, and no lines of its own stand between ours."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Keys of the runs that MLflow did not have, and of those that it had."""

    new: tuple[str, ...]
    known: tuple[str, ...]


def send_runs(store: Store, runs: Sequence[StoredRun], uri: str) -> Sent:
    """Write runs to MLflow at `uri` (sqlite:///FILE, or a server), an experiment for each dataset.

    A run that was stopped halfway is written anew; of one that is there whole only its tags are brought up to date.
    Raises ClipbenchError where MLflow is not installed, or refuses.
    """
    client = _client(uri)
    new: list[str] = []
    known: list[str] = []
    with _said_in_one_line(uri):
        for run in runs:
            experiment = _experiment(client, run.dataset_name, uri)
            (new if _send(client, experiment, store, run) else known).append(run.key)
    return Sent(tuple(new), tuple(known))


def _client(uri: str) -> MlflowClient:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise ClipbenchError("MLflow is not installed", "pip install 'clipbench[mlflow]'") from None
    if "://" not in uri:
        raise ClipbenchError(f"{uri} is no address of MLflow", f"--mlflow sqlite:///{uri}")
    for name in ("mlflow", "alembic"):  # it tells of every table that it makes
        logging.getLogger(name).setLevel(logging.WARNING)
    with _said_in_one_line(uri):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def _said_in_one_line(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        said = " ".join(str(error).split())
        if "MLFLOW_ALLOW_FILE_STORE" in said:
            raise ClipbenchError(
                "MLflow no longer writes folders of files", "--mlflow sqlite:///mlflow.db"
            ) from error
        raise ClipbenchError(
            f"MLflow at {uri} says: {said[:200]}", "--mlflow sqlite:///mlflow.db writes to a file"
        ) from error


def _experiment(client: MlflowClient, name: str, uri: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=_beside(uri)))
    if found.lifecycle_stage != "active":
        raise ClipbenchError(
            f"MLflow's experiment {name!r} was deleted",
            f"mlflow experiments restore --experiment-id {found.experiment_id}",
        )
    return str(found.experiment_id)


def _beside(uri: str) -> str | None:
    """Return where artifacts go: beside an SQLite file, not into whatever folder this was typed in; else as the server likes."""
    if not uri.startswith("sqlite:///"):
        return None
    folder = Path(uri.removeprefix("sqlite:///")).resolve().parent
    return (folder / "mlartifacts").as_uri()


def _send(client: MlflowClient, experiment: str, store: Store, run: StoredRun) -> bool:
    """Return whether the run was new."""
    for there in client.search_runs([experiment], filter_string=f"tags.`{KEY}` = '{run.key}'"):
        if there.info.status == "FINISHED":
            client.set_tag(there.info.run_id, TAGS, " ".join(run.tags))
            return False
        client.delete_run(there.info.run_id)
    began, ended = _moments(run)
    made = client.create_run(experiment, start_time=began, tags=_tags(run), run_name=_title(run))
    name, metrics = made.info.run_id, load_metrics(store, run.key)
    client.log_batch(
        name, metrics=_numbers(metrics, ended), params=_parameters(store, run), tags=(), synchronous=True
    )
    client.log_inputs(name, datasets=[_dataset(run)])
    with tempfile.TemporaryDirectory() as folder:
        for file in _artifacts(store, run, metrics, Path(folder)):
            client.log_artifact(name, str(file))
    client.set_terminated(name, "FINISHED", end_time=ended)
    return True


def _title(run: StoredRun) -> str:
    method = method_words(run.spec.method)
    return f"{run.model}, {run.perturbation.words}" + (f", {method}" if method else "")


def _moments(run: StoredRun) -> tuple[int, int]:
    """Return when the run began and ended, in milliseconds since 1970."""
    stored = run.created_at if run.created_at.tzinfo else run.created_at.replace(tzinfo=UTC)
    ended = round(stored.timestamp() * 1000)
    return ended - round(1000 * sum(run.timings.values())), ended


def _tags(run: StoredRun) -> dict[str, str]:
    return {
        KEY: run.key,
        TAGS: " ".join(run.tags),
        "clipbench.dataset": run.spec.dataset,
        "clipbench.fingerprint": run.fingerprint,
        "clipbench.encoder": run.encoder,
        "clipbench.version": run.version,
        "mlflow.source.name": run.command,
        "mlflow.note.content": f"`{run.command}`",
    }


def _dataset(run: StoredRun) -> Any:
    from mlflow.entities import Dataset, DatasetInput

    told = json.dumps({"key": run.spec.dataset, "fingerprint": run.fingerprint})
    return DatasetInput(Dataset(run.dataset_name, short(run.fingerprint), "clipbench", told))


def _parameters(store: Store, run: StoredRun) -> list[Any]:
    from mlflow.entities import Param

    identity, setting = load_encoder(store, run.encoder), run.perturbation
    told: dict[str, Json] = {
        "dataset": run.dataset_name,
        "model": run.model,
        "architecture": identity.architecture,
        "pretrained": identity.pretrained,
        "precision": identity.precision,
        "kind": run.spec.kind,
        "operation": setting.operation,
        "target": setting.target,
        "level": setting.level,
        "seed": setting.seed,
        "method": method_words(run.spec.method),
        "images": run.n_images,
        "captions": run.n_texts,
        **{f"protocol.{name}": value for name, value in run.spec.protocol.items()},
    }
    return [Param(name, _word(value)) for name, value in told.items() if value is not None]


def _word(value: Json) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:WORDS_OF_A_PARAMETER]


def _numbers(metrics: Sequence[Metric], moment: int) -> list[Any]:
    from mlflow.entities import Metric as Number

    values = [
        (metric_name(metric) + suffix, value)
        for metric in metrics
        for suffix, value in (("", metric.value), ("/low", metric.low), ("/high", metric.high))
        if value is not None
    ]
    return [Number(name, value, moment, 0) for name, value in values]


def metric_name(metric: Metric) -> str:
    """Return a metric's name in letters that MLflow takes.

    >>> metric_name(Metric("t2i", "hit@1", 0.5, None, None, 10))
    't2i/hit_at_1'
    """
    name = re.sub(r"[^\w\-. :/]", "_", metric.name.replace("@", "_at_"))
    return f"{metric.direction}/{name}"


def _artifacts(store: Store, run: StoredRun, metrics: tuple[Metric, ...], folder: Path) -> tuple[Path, Path]:
    ledger, whole = folder / f"ledger-{short(run.key)}.csv", folder / "run.json"
    write_ledger(ledger_table(store, load_run(store, run)), ledger, form="csv")
    whole.write_text(
        json.dumps(run_json(run, metrics), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return ledger, whole
