"""An experiment as a file: datasets × models × perturbations, as the commands that a person would type.

Makes the commands; runs nothing.
"""

from __future__ import annotations

import shlex
import tomllib
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from clipbench.foreign_files import MEGABYTE, parsing, read_foreign
from clipbench.study.replicating.plan import PlannedStep
from clipbench.study.replicating.recipe import told_by

Words = Annotated[tuple[str, ...], Field(min_length=1)]


class Experiment(BaseModel):
    """What is measured: every model on every dataset, clean and under every perturbation.

    models: what follows --model, with --pretrained and the like behind it ("ViT-B-32-quickgelu --pretrained openai",
    "adapter:NAME"). perturbations: what follows --perturb, with its level ("word-dropout=0.3"), or an operation at all
    of its levels. seeds: how many. metric, direction: what the leaderboard ranks by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    datasets: Words
    models: Words
    perturbations: tuple[str, ...] = ()
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    metric: str = "R@1"
    direction: Annotated[str, Field(pattern="^(t2i|i2t)$")] = "t2i"


def load_experiment(path: Path) -> Experiment:
    """Return the experiment of a file. Raises ClipbenchError, InputError with all that is wrong with it."""
    with parsing(path, "TOML file"):
        told = tomllib.loads(read_foreign(path, MEGABYTE).decode())
    return experiment_of(told, str(path))


def experiment_of(told: dict[str, Any], where: str) -> Experiment:
    """Return what a file says. Raises InputError with all that is wrong with it."""
    return told_by(Experiment, told, f"experiment {where}")


def steps_of(experiment: Experiment) -> tuple[PlannedStep, ...]:
    """Return the commands of an experiment, a dataset and model at a time, so that a model is loaded once for each."""
    steps = []
    for dataset, model in product(experiment.datasets, experiment.models):
        named = ("--model", *shlex.split(model))
        steps.append(PlannedStep(f"{dataset} × {model}", ("evaluate", dataset, *named)))
        for operation, levels in _by_levels(experiment.perturbations):
            words = ("robustness", "sweep", dataset, *named, "--perturb", operation, *levels)
            steps.append(
                PlannedStep(f"{dataset} × {model}, {operation}", (*words, "--seeds", str(experiment.seeds)))
            )
    return tuple(steps)


def _by_levels(perturbations: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Return each operation with its levels as options; those named at several levels are one sweep.

    >>> _by_levels(("word-dropout=0.1", "word-shuffle", "word-dropout=0.3"))
    [('word-dropout', ('--levels', '0.1,0.3')), ('word-shuffle', ())]
    """
    found: dict[str, list[str]] = {}
    for one in perturbations:
        operation, _, level = one.partition("=")
        found.setdefault(operation.strip(), []).extend([level.strip()] if level.strip() else [])
    return [(name, ("--levels", ",".join(levels)) if levels else ()) for name, levels in found.items()]
