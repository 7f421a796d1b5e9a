"""Studies done again: files that say what they mean, data that is looked at, verdicts that claim no more than they can."""

import re
from pathlib import Path
from typing import Any

import pytest
from cli_toys import added, cli, environment, good, misused, refused

from clipbench.errors import ClipbenchError, InputError
from clipbench.home import Home
from clipbench.store.engine import prepare_store
from clipbench.study.replicating.experiment import experiment_of, steps_of
from clipbench.study.replicating.plan import Asked, plan
from clipbench.study.replicating.recipe import WORD, Recipe, load_recipe, names, recipe_of

STUDY: dict[str, Any] = {
    "title": "A toy study",
    "source": "nobody",
    "model": "--model toy",
    "published": {"architecture": "ViT-B-32", "pretrained": "openai"},
    "data": {
        "test": {
            "name": "toys",
            "about": "captions.csv and its photographs",
            "add": "dataset add {test} --captions {data}/captions.csv",
            "images": 6,
        }
    },
    "steps": [{"what": "Retrieval", "run": "evaluate {test} {model}"}],
    "figures": [
        {"name": "R@1", "data": "test", "score": "t2i R@1", "published": 0.5},
        {"name": "R@3", "data": "test", "score": "t2i R@3", "published": 0.5},
        {"name": "images", "query": "SELECT n_images FROM datasets WHERE name = '{test}'", "published": 6, "any_model": True},
        {"name": "shuffle", "data": "test", "run": "word-shuffle=1", "score": "t2i R@1", "published": 0.5},
    ],
    "mistakes": ["one is known"],
}  # fmt: skip


def changed(**values: Any) -> dict[str, Any]:
    return {**STUDY, **values}


@pytest.mark.parametrize("name", names())
def test_a_study_that_comes_along_is_whole_and_its_commands_have_their_options(name: str) -> None:
    """Every step is parsed by the command line itself, up to the point where it would run."""
    from docs_blocks import commands

    study = load_recipe(name)
    assert study.figures
    assert study.mistakes
    known = commands()
    for text in (*(step.run for step in study.steps), *(data.add for data in study.data.values())):
        words = [word for word in re.sub(r"\{model\}", "--model M", text).split() if word]
        path = next(tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in known)
        options = {option for one in known[path].params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= options, text


@pytest.mark.parametrize(
    ("study", "says"),
    [
        (changed(steps=[{"what": "x", "run": "store gc --yes"}]), "is no step"),
        (changed(steps=[{"what": "x", "run": "dataset remove toys --yes"}]), "is no step"),
        (changed(steps=[{"what": "x", "run": "rm -rf /"}]), "is no step"),
        (changed(steps=[{"what": "x", "run": "evaluate {train} {model}"}]), "no role of the data"),
        (changed(steps=[{"what": "x", "run": "evaluate {test} {model} --store=/elsewhere"}]), "names a store"),
        (changed(steps=[]), "at least 1 item"),
        (changed(colour="red"), "colour"),
        (changed(figures=[{"name": "x", "published": 1.0}]), "a `score` of a run, or a `query`"),
        (changed(figures=[{"name": "x", "published": 1.0, "score": "t2i R@1"}]), "of which `data`"),
    ],
)  # fmt: skip
def test_a_file_that_means_nothing_or_harm_is_refused(study: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as refusal:
        recipe_of(study, "mine.toml")
    assert any(says in problem.message for problem in refusal.value.problems)


def test_words_are_filled_in_and_doubled_braces_stay(tmp_path: Path) -> None:
    steps = [{"what": "x", "run": "dataset add {test} --caption-template '{{type}}, {{color}}'"}]
    store = prepare_store(Home(tmp_path / "store"))
    planned = plan(store, recipe_of(changed(steps=steps), "x"), Asked(data=tmp_path / "a folder"))
    assert planned.steps[0].words == (
        "dataset",
        "add",
        "toys",
        "--captions",
        f"{tmp_path}/a folder/captions.csv",
    )
    assert planned.steps[1].words[-1] == "{type}, {color}"
    assert WORD.findall("{{type}} {test}") == ["test"]


def test_without_its_files_nothing_is_run_and_what_is_lacking_is_named(tmp_path: Path) -> None:
    file = written(tmp_path)
    with environment(CLIPBENCH_STORE=str(tmp_path / "store")):
        told = refused("replicate", str(file))
        assert "captions.csv and its photographs" in told
        assert "no step of it could be run" in told
        assert not (tmp_path / "store").exists()


def test_a_study_ends_in_published_and_here(tmp_path: Path) -> None:
    with environment(CLIPBENCH_STORE=str(tmp_path / "store")):
        added(tmp_path / "source", images=6)
        file = written(tmp_path)
        rows = {row["figure"]: row for row in good("replicate", str(file), "--format", "csv").rows}
        assert rows["R@1"]["verdict"].startswith(
            "cannot be compared: measured with toy, published of ViT-B-32"
        )
        assert float(rows["R@1"]["difference"]) == pytest.approx(float(rows["R@1"]["here"]) - 0.5)
        assert float(rows["R@1"]["low"]) <= float(rows["R@1"]["difference"]) <= float(rows["R@1"]["high"])
        assert rows["R@3"]["verdict"] == "not measured: the run has no t2i R@3"
        assert rows["R@3"]["here"] == ""
        assert rows["images"]["verdict"] == "equal"
        assert rows["shuffle"]["verdict"] == "not measured: its step was not run"
        again = good("replicate", str(file))
        assert "nothing was computed again" in again.err
        assert "known of the publication: one is known" in again.out


def test_data_that_is_not_the_studys_is_told_and_compared_with_nothing(tmp_path: Path) -> None:
    with environment(CLIPBENCH_STORE=str(tmp_path / "store")):
        added(tmp_path / "source", images=6)
        data = {"test": {**STUDY["data"]["test"], "images": 7, "fingerprint": "dataset:0"}}
        file = written(tmp_path, data=data)
        dry = good("replicate", str(file), "--dry-run", "--json").json
        assert "6 images, the study had 7" in dry[0]["rows"][0]["remark"]
        assert "the study's is dataset:0" in dry[0]["rows"][0]["remark"]
        (first, *_) = good("replicate", str(file), "--format", "csv").rows
        assert "6 images, the study had 7" in first["verdict"]


def test_another_dataset_leaves_out_what_needs_the_studys_others(tmp_path: Path) -> None:
    with environment(CLIPBENCH_STORE=str(tmp_path / "store")):
        added(tmp_path / "source", images=6)
        both = {**STUDY["data"], "train": {**STUDY["data"]["test"], "name": "train"}}
        steps = [*STUDY["steps"], {"what": "Training", "run": "adapt train {train} --val {test} {model}"}]
        file = written(tmp_path, data=both, steps=steps)
        done = cli("replicate", str(file), "--on", "toys", "--format", "csv")
        assert done.code == 0
        assert "left out: needs train" in done.err
        assert "measured on toys" in done.rows[0]["verdict"]
        assert "no dataset 'nothing'" in refused("replicate", str(file), "--on", "nothing")


def test_a_step_that_fails_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    with environment(CLIPBENCH_STORE=str(tmp_path / "store")):
        added(tmp_path / "source", images=6)
        steps = [{"what": "Wrong", "run": "evaluate {test} {model} --colour red"}, *STUDY["steps"]]
        done = cli("replicate", str(written(tmp_path, steps=steps)), "--format", "csv")
        assert done.code == 0
        assert "No such option: --colour" in done.err
        assert done.rows[0]["here"] != ""


def test_a_study_that_is_not_there_and_a_file_that_is_none(tmp_path: Path) -> None:
    assert "there are catalogue, common" in refused("replicate", "nothing")
    (tmp_path / "bad.toml").write_text("title = ")
    assert "is no TOML file" in refused("replicate", str(tmp_path / "bad.toml"))
    assert "cannot read" in refused("replicate", str(tmp_path / "gone.toml"))
    assert "--pretrained goes with --model" in misused("replicate", "common", "--pretrained", "openai")


def test_an_experiment_is_every_model_on_every_dataset(tmp_path: Path) -> None:
    told = {
        "datasets": ["a", "b"],
        "models": ["x --pretrained y", "z"],
        "perturbations": ["word-dropout=0.3"],
    }
    lines = [step.line for step in steps_of(experiment_of(told, "f"))]
    assert len(lines) == 8
    assert lines[0] == "clipbench evaluate a --model x --pretrained y"
    assert lines[1] == (
        "clipbench robustness sweep a --model x --pretrained y --perturb word-dropout --levels 0.3 --seeds 1"
    )
    with pytest.raises(InputError):
        experiment_of({"datasets": [], "models": ["x"]}, "f")
    with pytest.raises(InputError):
        experiment_of({"datasets": ["a"], "models": ["x"], "direction": "up"}, "f")


def test_an_experiment_ends_in_the_leaderboard_of_its_own_models(tmp_path: Path) -> None:
    with environment(CLIPBENCH_STORE=str(tmp_path / "store")):
        added(tmp_path / "source", images=6)
        good("evaluate", "toys", "--model", "toy", "--duplicate-aware", "-q")
        file = tmp_path / "experiment.toml"
        file.write_text(
            'datasets = ["toys"]\nmodels = ["toy", "demo"]\nperturbations = ["word-dropout=0.3"]\nseeds = 2\n'
        )
        assert len(good("run", str(file), "--dry-run", "--format", "csv").rows) == 4
        rows = good("run", str(file), "--format", "csv", "-q").rows
        assert {row["model"] for row in rows} == {"toy", "demo"}
        assert all(row["word-dropout=0.3"] for row in rows)


def written(folder: Path, **values: Any) -> Path:
    """Write the study as TOML."""
    study = Recipe.model_validate(changed(**values))
    lines = [f"{name} = {quoted(getattr(study, name))}" for name in ("title", "source", "model", "mistakes")]
    lines += ["[published]", *(f"{k} = {quoted(v)}" for k, v in study.published.model_dump().items())]
    for role, data in study.data.items():
        lines += [f"[data.{role}]", *fields(data.model_dump())]
    for table, entries in (("steps", study.steps), ("figures", study.figures)):
        for entry in entries:
            lines += [f"[[{table}]]", *fields(entry.model_dump())]
    path = folder / "study.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def fields(values: dict[str, Any]) -> list[str]:
    return [f"{name} = {quoted(value)}" for name, value in values.items() if value is not None]


def quoted(value: Any) -> str:
    import json

    return json.dumps(value)


def test_a_name_that_is_no_study_is_a_plain_error() -> None:
    with pytest.raises(ClipbenchError, match="there is no study"):
        load_recipe("x/../y")
