"""Options that say what to do to captions and photographs; the commands of `robustness` share them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from clipbench.cli import completion
from clipbench.cli.expanding import option, switch

if TYPE_CHECKING:
    from clipbench.study.robustness.requests import TypedRequest


@dataclass(frozen=True)
class LevelOptions:
    """How much of it, and how often."""

    levels: str | None = option(
        "0:0.5:0.1 (from, to, step) or 0.1,0.3: rates of captions, or severities where only "
        "photographs are corrupted. [default: the operations' own]",
        "--levels",
        "--level",
        metavar="LEVELS",
    )
    severities: str | None = option("1,3,5: severities of photographs beside --levels.", metavar="LEVELS")
    seeds: int = option("How many seeds: 0, 1, ... N-1.", default=1, min=1, max=1000, metavar="N")


@dataclass(frozen=True)
class PerturbationOptions:
    """What is done to captions and photographs, whatever the level."""

    perturb: list[str] | None = option(
        "Operation, family:NAME, or several with commas (`robustness list` names them).",
        metavar="OPERATION",
        autocompletion=completion.operations,
    )
    preset: list[str] | None = option("source-study, mm-robustness, quick, or full.", metavar="PRESET")
    apply: Literal["model_input", "source"] = option(
        "model_input (after resizing, as the constants were tuned) or source (the file's own pixels).",
        default="model_input",
        metavar="PLACE",
    )
    from_file: list[Path] | None = option(
        "Captions rewritten by you: CSV, TSV or JSONL with caption_id and text.", metavar="FILE"
    )
    label: list[str] | None = option(
        "What to call each --from-file, in order. [default: the file's name]", metavar="NAME"
    )
    wordnet: Path | None = option(
        "Synonyms from your WordNet: its `dict` folder, or nltk_data. [default: a small table]", metavar="DIR"
    )
    template: str | None = option(
        'Of prompt-template: "a photo of {}" with {} for the caption.', metavar="TEXT"
    )
    legacy_stream: bool = switch(
        "The source study's single generator for dropout and shuffle.", "--legacy-stream"
    )

    def words(self, levels: LevelOptions, seeds: tuple[int, ...] | None = None) -> TypedRequest:
        """Return everything that was typed. seeds: those of `levels` unless given."""
        from clipbench.study.robustness.requests import TypedRequest

        return TypedRequest(
            words=(*(self.perturb or ()), *(self.preset or ())),
            levels=levels.levels,
            severities=levels.severities,
            seeds=tuple(range(levels.seeds)) if seeds is None else seeds,
            place=self.apply,
            legacy=self.legacy_stream,
            wordnet=self.wordnet,
            template=self.template,
            files=tuple(self.from_file or ()),
            labels=tuple(self.label or ()),
        )


@dataclass(frozen=True)
class RelatedOptions:
    """Sweeps of other models that a sweep's figures are relative to."""

    reference: str | None = option("Sweep of the model that mCE is relative to.", metavar="SWEEP")
    baselines: list[str] | None = option(
        "Sweep of a baseline of effective robustness; eight or more are needed.", metavar="SWEEP"
    )
