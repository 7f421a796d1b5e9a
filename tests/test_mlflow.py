"""Runs are written to MLflow once, with what they are, what they scored, and their ledgers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_toys import added, environment, good, misused, refused

pytest.importorskip("mlflow", reason="MLflow is not installed")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("mlflow")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder, images=6)
        good("evaluate", "toys", "--model", "toy", "--tag", "first", "-q")
        good(
            "robustness",
            "sweep",
            "toys",
            "--model",
            "toy",
            "--perturb",
            "word-dropout",
            "--levels",
            "0.5",
            "-q",
        )
    return folder / "store"


@pytest.fixture(scope="module")
def uri(store: Path) -> str:
    """An MLflow with the clean run in it."""
    address = f"sqlite:///{store.parent}/mlflow.db"
    said = good("runs", "export", "first", "--mlflow", address, store=store).out
    assert said == f"wrote to {address}: 1 new run, 0 known before\n"
    return address


def there(uri: str) -> list[Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("toys")
    return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]))


def test_a_run_is_there_with_settings_numbers_and_ledger(store: Path, uri: str) -> None:
    (run,) = [one for one in there(uri) if one.data.tags["clipbench.tags"] == "first"]
    stored = {(row["direction"], row["metric"]): row for row in metrics(store, "first")}
    assert run.data.tags["clipbench.run"] == stored["t2i", "hit@1"]["run"]
    assert run.data.params["model"] == "toy"
    assert run.data.params["operation"] == "clean"
    assert run.data.params["protocol.ks"] == "[1, 5, 10]"
    assert run.data.metrics["t2i/hit_at_1"] == float(stored["t2i", "hit@1"]["value"])
    assert run.data.metrics["t2i/hit_at_1/low"] == float(stored["t2i", "hit@1"]["low"])
    assert run.info.status == "FINISHED"
    assert [one.dataset.name for one in run.inputs.dataset_inputs] == ["toys"]
    (ledger,) = Path(run.info.artifact_uri.removeprefix("file://")).glob("ledger-*.csv")
    assert ledger.read_text() == good("runs", "export", "first", store=store).out
    assert store.parent in ledger.parents, "beside the database, not where the command was typed"


def test_what_is_there_is_not_written_twice_and_its_tags_follow(store: Path, uri: str) -> None:
    good("runs", "tag", "first", "kept", store=store)
    assert "0 new runs, 1 known before" in good("runs", "export", "first", "--mlflow", uri, store=store).out
    assert (
        "1 new run, 1 known" in good("runs", "export", "all:dataset=toys", "--mlflow", uri, store=store).out
    )
    assert len(there(uri)) == 2
    assert {run.data.tags["clipbench.tags"] for run in there(uri)} == {"first kept", ""}
    good("runs", "tag", "first", "kept", "--remove", store=store)


def test_a_run_that_was_stopped_halfway_is_written_anew(store: Path, uri: str) -> None:
    from mlflow.tracking import MlflowClient

    (run,) = [one for one in there(uri) if one.data.params["operation"] == "clean"]
    MlflowClient(uri).set_terminated(run.info.run_id, "KILLED")
    assert "1 new run, 0 known" in good("runs", "export", "first", "--mlflow", uri, store=store).out
    (again,) = [one for one in there(uri) if one.data.params["operation"] == "clean"]
    assert (again.info.status, again.data.metrics) == ("FINISHED", run.data.metrics)


@pytest.mark.parametrize(
    ("address", "hint"), [("mlflow.db", "sqlite:///mlflow.db"), ("file:///tmp/x", "sqlite:///")]
)
def test_an_address_that_mlflow_does_not_take_is_told_in_one_line(
    store: Path, address: str, hint: str
) -> None:
    assert hint in refused("runs", "export", "first", "--mlflow", address, store=store)


def metrics(store: Path, *runs: str) -> list[dict[str, str]]:
    return good("runs", "export", *runs, "--metrics", store=store).rows


def test_metrics_of_many_runs_are_rows_for_data_frames(store: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = metrics(store, "all:dataset=toys")
    assert {row["operation"] for row in rows} == {"clean", "word-dropout"}
    file = tmp_path / "metrics.parquet"
    said = good("runs", "export", "all:dataset=toys", "--metrics", "--out", file, store=store).out
    assert said.endswith(f"{len(rows)} metrics of 2 runs\n")
    read = parquet.read_table(file).to_pylist()
    assert [row["metric"] for row in read] == [row["metric"] for row in rows]
    assert [row["value"] for row in read] == [float(row["value"]) for row in rows]
    assert {type(row["low"]) for row in read} <= {float, type(None)}


def test_metrics_have_two_forms() -> None:
    assert "csv or parquet" in misused("runs", "export", "latest", "--metrics", "--format", "trec")


def test_exports_are_asked_for_one_at_a_time() -> None:
    assert "different exports" in misused("runs", "export", "latest", "--metrics", "--top", "3")
    assert "own form" in misused("runs", "export", "latest", "--mlflow", "sqlite:///m.db", "--out", "x.csv")
