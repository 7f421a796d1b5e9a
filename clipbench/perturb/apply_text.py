"""Apply a text operation to captions, and name the perturbation that results."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.keys import Json
from clipbench.perturb.operation import TextOperation
from clipbench.perturb.resources import DEFAULT_RESOURCES, Rewrites, TextResources
from clipbench.perturb.streams import stream
from clipbench.records import Caption, Perturbation


def perturb_captions(
    captions: Sequence[Caption],
    operation: TextOperation,
    level: float,
    seed: int,
    resources: TextResources = DEFAULT_RESOURCES,
) -> tuple[str, ...]:
    """Return the captions' new texts, in order. Level 0 is the identity, whitespace included.

    A caption's new text depends on its id and text, the operation, the level, the seed and the
    resources, and on no other caption. Raises ClipbenchError for a level that the operation does not
    have, and InputError that lists every caption for which the user gave no rewrite.
    """
    check_level(operation, level)
    if level == 0:
        return tuple(caption.text for caption in captions)
    if "rewrites" in operation.needs:
        _check_rewrites(captions, resources.rewrites)
    apply, name = operation.apply, operation.name
    return tuple(apply(caption, level, stream(name, seed, caption.id), resources) for caption in captions)


def text_perturbation(
    operation: TextOperation,
    level: float,
    seed: int,
    resources: TextResources = DEFAULT_RESOURCES,
) -> Perturbation:
    """Return the record of this setting: its parameters name the version and the data it draws upon."""
    check_level(operation, level)
    parameters: dict[str, Json] = {"version": operation.version}
    if "synonyms" in operation.needs:
        parameters["synonyms"] = resources.synonyms.identity
    if "template" in operation.needs:
        parameters["template"] = resources.template
    if "rewrites" in operation.needs and resources.rewrites is not None:
        parameters["rewrites"] = resources.rewrites.identity
    return Perturbation(operation.name, "text", level, seed, parameters)


def check_level(operation: TextOperation, level: float) -> None:
    """Raise ClipbenchError where the operation has no such level."""
    if not 0 <= level <= 1:
        percent = (
            f"{level:g} % is {level / 100:g}" if 1 < level <= 100 else "0 is the clean run, 1 every word"
        )
        raise ClipbenchError(f"{operation.name}: a rate is between 0 and 1, not {level:g}", percent)
    if not operation.graded and level not in (0, 1):
        raise ClipbenchError(f"{operation.name} has one setting, level 1; level {level:g} means nothing")


def _check_rewrites(captions: Sequence[Caption], rewrites: Rewrites | None) -> None:
    if rewrites is None:
        raise ClipbenchError(
            "rewrite needs a column of rewritten captions, and none was given",
            "--from-file FILE with the columns caption_id and text (clipbench robustness export shows the form)",
        )
    problems = []
    for caption in captions:
        text = rewrites.texts.get(caption.id)
        if text is None:
            problems.append(Problem(rewrites.label, 0, f"caption {caption.id} has no rewrite"))
        elif not text.strip():
            problems.append(Problem(rewrites.label, 0, f"the rewrite of caption {caption.id} is blank"))
    if problems:
        what = f"rewrites '{rewrites.label}' for {len(captions)} captions"
        raise InputError(what, problems, "add the missing rows, or leave the operation out")
