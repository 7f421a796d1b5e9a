"""What a sweep asks for, and the settings that follow: one perturbation each, the clean one first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from clipbench.keys import Json
from clipbench.perturb.apply_text import text_perturbation
from clipbench.perturb.legacy import LegacyStream, legacy_perturbation
from clipbench.perturb.operation import ImageOperation, Operation, TextOperation
from clipbench.perturb.registry import Selection, text_operation
from clipbench.perturb.resources import DEFAULT_RESOURCES, Rewrites, TextResources
from clipbench.records import CLEAN, Perturbation

Place: TypeAlias = Literal["model_input", "source"]
"""Where an image corruption acts: on what the model sees (the constants were tuned there), or on the file."""

REWRITE = "rewrite"


@dataclass(frozen=True)
class SweepRequest:
    """Which operations at which levels under which seeds.

    legacy: reproduce the source study's single shared generator for dropout and shuffle; one seed then.
    rewrites: captions rewritten by the user; each is a setting of the operation `rewrite`.
    """

    selections: tuple[Selection, ...]
    seeds: tuple[int, ...] = (0,)
    place: Place = "model_input"
    resources: TextResources = DEFAULT_RESOURCES
    legacy: LegacyStream | None = None
    rewrites: tuple[Rewrites, ...] = ()

    @property
    def uses_synonyms(self) -> bool:
        """Whether an operation draws upon synonyms, so that their source matters."""
        operations = [one.operation for one in self.selections]
        return any(isinstance(one, TextOperation) and "synonyms" in one.needs for one in operations)

    def as_json(self) -> dict[str, Json]:
        """Return the request as it is stored with the sweep."""
        operations: Json = {one.operation.name: list(one.levels) for one in self.selections}
        found: dict[str, Json] = {"operations": operations, "seeds": list(self.seeds), "apply": self.place}
        if self.uses_synonyms:
            found["synonyms"] = self.resources.synonyms.identity
        if self.legacy is not None:
            found["legacy"] = self.legacy.parameters(*(one.operation.name for one in self.selections))
        if self.rewrites:
            found["rewrites"] = [one.identity for one in self.rewrites]
        return found


@dataclass(frozen=True)
class Setting:
    """One perturbation of a sweep with the operation that makes it; None for the clean one."""

    perturbation: Perturbation
    operation: Operation | None = field(default=None, compare=False)
    resources: TextResources = field(default=DEFAULT_RESOURCES, compare=False, repr=False)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is changed."""
        return self.operation is None

    @property
    def is_legacy(self) -> bool:
        """Whether its captions come from the one shared stream."""
        return self.perturbation.parameters.get("stream") == "legacy"


def shown_operation(setting: Perturbation) -> str:
    """Return the operation's name as tables show it; rewrites carry their label.

    >>> shown_operation(Perturbation("rewrite", "text", 1.0, 0, {"rewrites": {"label": "formal"}}))
    'rewrite: formal'
    """
    return setting.operation if setting.label is None else setting.words


def settings(request: SweepRequest) -> tuple[Setting, ...]:
    """Return the clean setting and then each operation × level × seed, every setting once.

    Raises ClipbenchError where an operation does not have a level.
    """
    found: dict[str, Setting] = {CLEAN.key: Setting(CLEAN)}
    for one in request.selections:
        for level in one.levels:
            if level == 0:
                continue
            for seed in _seeds(one.operation, request):
                perturbation = _perturbation(one.operation, level, seed, request)
                found.setdefault(perturbation.key, Setting(perturbation, one.operation, request.resources))
    for rewrites in request.rewrites:
        operation = text_operation(REWRITE)
        resources = replace(request.resources, rewrites=rewrites)
        perturbation = text_perturbation(operation, 1.0, request.seeds[0], resources)
        found.setdefault(perturbation.key, Setting(perturbation, operation, resources))
    return tuple(found.values())


def _seeds(operation: Operation, request: SweepRequest) -> tuple[int, ...]:
    fixed = isinstance(operation, ImageOperation) and operation.deterministic
    return request.seeds[:1] if fixed or request.legacy is not None else request.seeds


def _perturbation(operation: Operation, level: float, seed: int, request: SweepRequest) -> Perturbation:
    if isinstance(operation, ImageOperation):
        parameters: Mapping[str, Json] = {"version": operation.version, "apply": request.place}
        return Perturbation(operation.name, "image", level, seed, parameters)
    if request.legacy is not None:
        return legacy_perturbation(operation.name, level, request.legacy)
    return text_perturbation(operation, level, seed, request.resources)
