"""Each published figure beside ours, the difference with its interval, and what follows.

Reads stored runs, or asks the store in SQL; computes no metric. A figure that is not there is said to be not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from clipbench.errors import ClipbenchError
from clipbench.records import EncoderIdentity
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.queries import list_runs, metrics_of
from clipbench.store.sql import ask
from clipbench.study.comparing.published import is_model
from clipbench.study.comparing.published_table import PublishedScores
from clipbench.study.comparing.references import parse_query
from clipbench.study.embedding.models import ModelRequest
from clipbench.study.embedding.sources import open_source
from clipbench.study.replicating.plan import Plan
from clipbench.study.replicating.recipe import Figure

TOLERANCE = 1e-9
"""How near two counts or shares must be to be the same figure."""


@dataclass(frozen=True)
class Verdict:
    """A figure of a study, ours, and what follows. low, high: the interval of ours; run: where it is from."""

    figure: Figure
    value: float | None
    low: float | None
    high: float | None
    run: str | None
    says: str

    @property
    def difference(self) -> float | None:
        """Ours less the published one; None where one of them is not there."""
        if self.value is None or self.figure.published is None:
            return None
        return self.value - self.figure.published


@dataclass(frozen=True)
class _Found:
    value: float
    low: float | None = None
    high: float | None = None
    run: str | None = None


@dataclass(frozen=True)
class _Judge:
    store: Store
    plan: Plan

    @cached_property
    def identity(self) -> EncoderIdentity:
        """The encoder of the study's model here."""
        model, pretrained = self.plan.model_words
        return open_source(self.store, ModelRequest(model, pretrained, "fp32", "auto")).identity

    @cached_property
    def unlike(self) -> str:
        """Why figures of the study's model are no measure for ours, "" where they are."""
        published = self.plan.recipe.published
        scores = PublishedScores(
            "", published.architecture, published.pretrained, {}, self.plan.recipe.source
        )
        if is_model(self.identity, scores):
            return ""
        return f"measured with {self.identity.label}, published of {published.architecture} {published.pretrained}"

    def data_unlike(self, role: str) -> str:
        if self.plan.replaced is not None:
            return f"measured on {self.plan.replaced}"
        state = next((one for one in self.plan.states if one.role == role), None)
        return state.faults[0] if state is not None and state.faults else ""


def verdicts(store: Store, plan: Plan) -> tuple[Verdict, ...]:
    """Return a verdict on every figure of the study, in its order."""
    judge = _Judge(store, plan)
    return tuple(_verdict(judge, figure) for figure in plan.recipe.figures)


def _verdict(judge: _Judge, figure: Figure) -> Verdict:
    try:
        found = _asked(judge, figure) if figure.query is not None else _scored(judge, figure)
    except ClipbenchError as error:
        return Verdict(figure, None, None, None, None, f"not measured: {error.message.splitlines()[0]}")
    return Verdict(figure, found.value, found.low, found.high, found.run, _says(judge, figure, found))


def _says(judge: _Judge, figure: Figure, found: _Found) -> str:
    if figure.published is None:
        return figure.note or "not published"
    reasons = [] if figure.any_model else [judge.unlike]
    reasons += [judge.data_unlike(figure.data)] if figure.data is not None else []
    told = "; ".join(reason for reason in reasons if reason)
    if told:
        return f"cannot be compared: {told}"
    if abs(found.value - figure.published) <= TOLERANCE:
        return "equal"
    if found.low is not None and found.high is not None and found.low <= figure.published <= found.high:
        return "within sampling error"
    return f"differs: {figure.note}" if figure.note else "differs"


def _asked(judge: _Judge, figure: Figure) -> _Found:
    """Return the one number that a question has for an answer. Raises ClipbenchError where it has none."""
    names = {role: name.replace("'", "''") for role, name in judge.plan.roles.items()}
    question = figure.query or ""
    for role, name in names.items():
        question = question.replace(f"{{{role}}}", name)
    answer = ask(judge.store, question, rows=2)
    if len(answer.rows) != 1 or len(answer.rows[0]) != 1 or not isinstance(answer.rows[0][0], int | float):
        raise ClipbenchError("nothing is stored that answers it")
    return _Found(float(answer.rows[0][0]))


def _scored(judge: _Judge, figure: Figure) -> _Found:
    """Return the score of the newest run that fits. Raises ClipbenchError where there is none."""
    store, role = judge.store, figure.data or ""
    direction, _, name = (figure.score or "").partition(" ")
    name = name.replace("R@", "hit@")
    if judge.plan.replaced is not None and role != next(iter(judge.plan.recipe.data)):
        raise ClipbenchError(
            f"it is of {judge.plan.recipe.data[role].name}, and {judge.plan.replaced} was asked for"
        )
    state = next((one for one in judge.plan.states if one.role == role), None)
    if state is None or not state.present:
        raise ClipbenchError(f"{judge.plan.roles[role]} is not here")
    encoder = (
        judge.identity
        if figure.model is None
        else _other(store, figure.model.replace("{tag}", judge.plan.tag))
    )
    dataset = load_dataset(store, judge.plan.roles[role])
    runs = [
        run
        for run in list_runs(store, parse_query(figure.run, operation_first=True))
        if run.encoder_key == encoder.key and run.dataset_key == dataset.key
    ]
    if not runs:
        raise ClipbenchError("its step was not run")
    metrics = {(m.direction, m.name): m for m in metrics_of(store, [runs[0].key], {name})[runs[0].key]}
    if (direction, name) not in metrics:
        raise ClipbenchError(f"the run has no {figure.score}")
    metric = metrics[direction, name]
    return _Found(metric.value, metric.low, metric.high, runs[0].key)


def _other(store: Store, model: str) -> EncoderIdentity:
    try:
        return open_source(store, ModelRequest(model, None, "fp32", "auto")).identity
    except ClipbenchError:  # an adapter that no step has trained
        raise ClipbenchError("its step was not run") from None
