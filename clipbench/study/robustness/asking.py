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
class Asked:
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


def request_of(asked: Asked, dataset: Dataset) -> SweepRequest:
    """Return the request that the words make for a dataset.

    Raises ClipbenchError where nothing is asked for or words do not fit, InputError for files.
    """
    words = [word for word in asked.words if not (asked.files and word == REWRITE)]
    if not words and not asked.files:
        raise ClipbenchError(
            "nothing says what to do to the captions or photographs",
            "--perturb OPERATION, --preset NAME or --from-file FILE (clipbench robustness list)",
        )
    if asked.labels and not asked.files:
        raise ClipbenchError("--label names a --from-file, and there is none", "leave --label out")
    levels = levels_of(asked.levels) if asked.levels is not None else None
    severities = levels_of(asked.severities) if asked.severities is not None else None
    chosen = selections(words, levels, severities)
    return SweepRequest(
        selections=chosen,
        seeds=asked.seeds,
        place=asked.place,
        resources=_resources(asked, chosen),
        legacy=SOURCE_STUDY if asked.legacy else None,
        rewrites=read_rewrites(asked.files, asked.labels, dataset) if asked.files else (),
    )


def _resources(asked: Asked, chosen: Sequence[Selection]) -> TextResources:
    """Return the data that operations draw upon. Raises ClipbenchError where none of them would."""
    needed = {
        need for one in chosen if isinstance(one.operation, TextOperation) for need in one.operation.needs
    }
    for option, given, need in (
        ("--wordnet", asked.wordnet, "synonyms"),
        ("--template", asked.template, "template"),
    ):
        if given is not None and need not in needed:
            raise ClipbenchError(
                f"{option} means nothing here: no operation that is named uses it", f"leave {option} out"
            )
    synonyms = DEFAULT_RESOURCES.synonyms if asked.wordnet is None else read_wordnet(asked.wordnet)
    template = DEFAULT_RESOURCES.template if asked.template is None else asked.template
    return TextResources(synonyms=synonyms, template=template)
