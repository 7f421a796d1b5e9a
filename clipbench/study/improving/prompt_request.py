"""What `improve prompts` was asked for, turned into families of variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.foreign_files import read_foreign
from clipbench.prompts.pooling import TEMPERED, Pooling
from clipbench.prompts.templates import TemplateSet, parse_templates, template_set
from clipbench.records import Direction, Protocol
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.study.adapting.splits import refuse_shared
from clipbench.study.annotation.categories import categorised
from clipbench.study.annotation.labels import scope
from clipbench.study.embedding.models import VectorSource
from clipbench.study.improving.honest import as_the_study
from clipbench.study.improving.prompting import PromptPlan, poolings_of, prompt_variants
from clipbench.study.improving.running import Improved, improve
from clipbench.study.improving.variants import Variant
from clipbench.study.robustness.stress import Ground, ground
from clipbench.study.workplace.progress import Progress
from clipbench.tabular.text import decode_text

DEFAULT_SETS = ("photo", "general")
STUDY_SETS = ("object", "attribute", "action", "object+attribute")
STUDY_POOLINGS = (Pooling("max"), Pooling("mean"), Pooling("logsumexp", 1.0))
"""What the published study of prompt ensembles tried, each on the failures of its own category."""

LARGEST = 1 << 20
"""Bytes of a file of templates."""


@dataclass(frozen=True)
class TypedPrompts:
    """The words of the command line. labels: category of a caption by id, None without --by-category."""

    dataset: str
    sets: tuple[TemplateSet, ...]
    pools: tuple[str, ...]
    taus: tuple[str, ...]
    placebo: bool
    study: bool
    labels: Mapping[str, str] | None = None

    def labelled(self, store: Store, sample: str | None, policy: str, *, wanted: bool) -> TypedPrompts:
        """Return the request with the categories of labelled failures. Raises ClipbenchError where there are none."""
        if not wanted:
            if sample is not None:
                raise ClipbenchError(
                    f"the labels of {sample} would not be heeded", "--by-category --labels SAMPLE"
                )
            return self
        fingerprint = load_dataset(store, self.dataset).fingerprint
        within = scope(store, sample, None if sample else self.dataset)
        if within.fingerprint != fingerprint:
            raise ClipbenchError(f"the labels of {sample} are of another dataset than {self.dataset}")
        queries = categorised(within.labels, policy, lambda failure: failure.caption_id)
        labels = {
            caption: category for category, captions in queries.by_category.items() for caption in captions
        }
        if not labels:
            raise ClipbenchError(
                f"no failure of {self.dataset} carries a label",
                "clipbench annotate sample RUN, then annotate serve",
            )
        return replace(self, labels=labels)

    def plan(self, scale: float | None) -> PromptPlan:
        """Return the sets and poolings to try."""
        poolings = STUDY_POOLINGS if self.study else poolings_of(self.pools, self.taus, scale)
        return PromptPlan(self.sets, poolings, self.placebo, self.labels)

    @property
    def needs_scale(self) -> bool:
        """Whether a temperature is the model's own."""
        return not self.study and "scale" in self.taus and bool(TEMPERED.intersection(self.pools))


def typed_prompts(
    dataset: str,
    sets: Sequence[str] | None,
    file: Path | None,
    pooling: tuple[str, str],
    *,
    placebo: bool,
    study: bool,
) -> TypedPrompts:
    """Return the request that was typed. Raises ClipbenchError for unknown sets and a file without templates."""
    chosen = [template_set(name) for name in sets or (() if file else STUDY_SETS if study else DEFAULT_SETS)]
    if file is not None:
        text = decode_text(read_foreign(file, LARGEST), str(file)).text
        chosen.append(replace(parse_templates(text, file.name), name=f"file {file.name}"))
    pools, taus = (tuple(part.strip() for part in words.split(",") if part.strip()) for words in pooling)
    if not pools:
        raise ClipbenchError("no pooling is named", "--pool mean,max,logsumexp")
    return TypedPrompts(dataset, tuple(dict.fromkeys(chosen)), pools, taus, placebo or study, study)


@dataclass(frozen=True)
class PromptFamilies:
    """The variants of the dataset, and what came of them; None where nothing was to be done."""

    plain: tuple[Variant, ...]
    result: Improved | None

    @property
    def done(self) -> Improved:
        """What came of them. Raises ClipbenchError where nothing was done."""
        if self.result is None:
            raise ClipbenchError("nothing was ranked")
        return self.result


def prompt_families(
    source: VectorSource,
    typed: TypedPrompts,
    select_on: str | None,
    progress: Progress,
    allow_missing: float = 0.0,
    *,
    dry_run: bool = False,
    direction: Direction = "t2i",
) -> PromptFamilies:
    """Rank every variant of a request and compare it; with `dry_run`, only say what there would be to do."""
    plan = typed.plan(_scale(source) if typed.needs_scale else None)

    def base_of(name: str) -> Ground:
        return ground(load_dataset(source.store, name), source, Protocol(), progress, allow_missing)

    base = base_of(typed.dataset)
    plain = prompt_variants(base, plan, progress)
    if dry_run:
        return PromptFamilies(plain, None)
    chosen_on = None if select_on is None else base_of(select_on)
    if chosen_on is not None:
        refuse_shared(chosen_on.dataset, base.dataset)
    other = replace(plan, labels=None)
    done = improve(
        base,
        lambda on: plain if on is base else prompt_variants(on, other, progress),
        progress,
        chosen_on=chosen_on,
        direction=direction,
    )
    if typed.study:
        done = replace(done, study=as_the_study(base, done.family, typed.labels))
    return PromptFamilies(plain, done)


def _scale(source: VectorSource) -> float | None:
    if source.identity.kind == "imported":
        return None  # nothing is loaded that could tell
    scale: float | None = getattr(source.encoder, "logit_scale", None)
    return scale
