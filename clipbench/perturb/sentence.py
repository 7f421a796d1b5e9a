"""Changes of the whole sentence: fillers, an unrelated sentence, truncation, templates, rewrites."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.errors import ClipbenchError
from clipbench.perturb.resources import TextResources
from clipbench.perturb.streams import Stream
from clipbench.perturb.words import target_count
from clipbench.records import Caption

PREFIXES = (
    "in this picture we can see",
    "here you can see",
    "the image shows",
    "as far as I can tell,",
    "well, this is",
    "what we have here is",
    "look at this:",
    "I think this is",
)
SUFFIXES = (
    "as you can see",
    "or so it seems",
    "if I am not mistaken",
    "in this picture",
    "as far as I can tell",
    "at the moment",
    "and that is about it",
    "I think",
)
UNRELATED = (
    "The meeting was moved to Thursday.",
    "Please remember to update your password.",
    "Interest rates rose again last quarter.",
    "The train to the coast leaves at noon.",
    "He never finished the second chapter.",
    "Our office is closed on public holidays.",
    "The recipe calls for a pinch of salt.",
    "Shipping usually takes three to five days.",
)
"""Sentences that tell nothing about any photo."""


def add_prefix(text: str, stream: Stream) -> str:
    """Put a filler phrase before the caption."""
    return f"{stream.choice(PREFIXES)} {text.lstrip()}"


def add_suffix(text: str, stream: Stream) -> str:
    """Put a filler phrase after the caption."""
    return f"{text.rstrip()} {stream.choice(SUFFIXES)}"


def add_unrelated(text: str, stream: Stream) -> str:
    """Append a sentence that has nothing to do with the photo."""
    return f"{text.rstrip()} {stream.choice(UNRELATED)}"


def truncate_head(words: Sequence[str], rate: float, _stream: Stream) -> list[str]:
    """Drop round(rate·n) words from the start; the last word always stays."""
    return list(words[min(target_count(rate, len(words)), len(words) - 1) :])


def truncate_tail(words: Sequence[str], rate: float, _stream: Stream) -> list[str]:
    """Drop round(rate·n) words from the end; the first word always stays."""
    return list(words[: max(len(words) - target_count(rate, len(words)), 1)])


def fill_template(caption: Caption, _rate: float, _stream: Stream, resources: TextResources) -> str:
    """Put the caption in place of `{}` in the template; a caption without words stays as it is."""
    return resources.template.replace("{}", caption.text) if caption.text.strip() else caption.text


def rewrite(caption: Caption, _rate: float, _stream: Stream, resources: TextResources) -> str:
    """Return the user's own rewrite of this caption. Raises ClipbenchError where there is none."""
    if resources.rewrites is None or caption.id not in resources.rewrites.texts:
        raise ClipbenchError(f"caption {caption.id} has no rewrite", "add it to the file of rewrites")
    return resources.rewrites.texts[caption.id]
