"""The words of a command line to a sweep's request: reads the user's rewrites and WordNet, runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.perturb.legacy import SOURCE_STUDY
from clipbench.perturb.operation import TextOperation
from clipbench.perturb.registry import Selection
from clipbench.perturb.resources import DEFAULT_RESOURCES, TextResources
from clipbench.records import Dataset
from clipbench.study.robustness.levels import levels_of, selections
from clipbench.study.robustness.rewrites import read_rewrites
from clipbench.study.robustness.settings import REWRITE, Place, SweepRequest
from clipbench.study.robustness.wordnet_files import read_wordnet


@dataclass(frozen=True)
class TypedRequest:
    """What was typed. words: operations, families and presets; levels, severities: as typed.

    files, labels: rewritten captions and what to call them. wordnet: where a WordNet lies.
    """

    words: tuple[str, ...] = ()
    levels: str | None = None
    severities: str | None = None
    seeds: tuple[int, ...] = (0,)
    place: Place = "model_input"
    legacy: bool = False
    wordnet: Path | None = None
    template: str | None = None
    files: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ()


def request_of(typed: TypedRequest, dataset: Dataset) -> SweepRequest:
    """Return the request that the words make for a dataset.

    Raises ClipbenchError where nothing is asked for or words do not fit, InputError for files.
    """
    words = [word for word in typed.words if not (typed.files and word == REWRITE)]
    if not words and not typed.files:
        raise ClipbenchError(
            "nothing says what to do to the captions or photographs",
            "--perturb OPERATION, --preset NAME or --from-file FILE (clipbench robustness list)",
        )
    if typed.labels and not typed.files:
        raise ClipbenchError("--label names a --from-file, and there is none", "leave --label out")
    levels = levels_of(typed.levels) if typed.levels is not None else None
    severities = levels_of(typed.severities) if typed.severities is not None else None
    chosen = selections(words, levels, severities)
    return SweepRequest(
        selections=chosen,
        seeds=typed.seeds,
        place=typed.place,
        resources=_resources(typed, chosen),
        legacy=SOURCE_STUDY if typed.legacy else None,
        rewrites=read_rewrites(typed.files, typed.labels, dataset) if typed.files else (),
    )


def _resources(typed: TypedRequest, chosen: Sequence[Selection]) -> TextResources:
    """Return the data that operations draw upon. Raises ClipbenchError where none of them would."""
    needed = {
        need for one in chosen if isinstance(one.operation, TextOperation) for need in one.operation.needs
    }
    for option, given, need in (
        ("--wordnet", typed.wordnet, "synonyms"),
        ("--template", typed.template, "template"),
    ):
        if given is not None and need not in needed:
            raise ClipbenchError(
                f"{option} means nothing here: no operation that is named uses it", f"leave {option} out"
            )
    synonyms = DEFAULT_RESOURCES.synonyms if typed.wordnet is None else read_wordnet(typed.wordnet)
    template = DEFAULT_RESOURCES.template if typed.template is None else typed.template
    return TextResources(synonyms=synonyms, template=template)
