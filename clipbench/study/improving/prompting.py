"""Prompt ensembles as variants: templates around every caption, pooled in some way, with their placebos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.keys import Json, digest
from clipbench.metrics.scorers import Pooled, Product
from clipbench.prompts.pooling import TEMPERED, Pooling, averaged, pool
from clipbench.prompts.templates import PLAIN, SETS, TemplateSet, category_set, fill
from clipbench.records import Caption, text_key
from clipbench.store.vectors import Pool
from clipbench.study.evaluation.evaluate import Vectors
from clipbench.study.improving.variants import Ranking, Variant, pair_ranking
from clipbench.study.robustness.stress import Ground
from clipbench.study.workplace.progress import Progress

METHOD = "prompts"

NONSENSE = (
    "window seven under {}",
    "green because of {}",
    "if Tuesday then {}",
    "{} without eleven spoons",
    "paper engine {}",
)
"""Placebo templates: words that say nothing of any photograph."""


@dataclass(frozen=True)
class PromptPlan:
    """Which template sets are pooled how. labels: category of a caption by id, for sets chosen by category."""

    sets: tuple[TemplateSet, ...]
    poolings: tuple[Pooling, ...]
    placebo: bool = False
    labels: Mapping[str, str] | None = None


def prompt_variants(base: Ground, plan: PromptPlan, progress: Progress) -> tuple[Variant, ...]:
    """Return the variants of a plan, the plain run first; texts are encoded once per string, when one is ranked."""
    maker = _Maker(base, progress)
    variants = [Variant("no template", {}, lambda: Ranking(base.ledgers))]
    captions = len(base.gallery.captions)
    variants += [
        maker.variant(one.name, [one.templates] * captions, pooling)
        for one in plan.sets
        for pooling in _of(one.templates, plan.poolings)
    ]
    if plan.labels is not None:
        variants += _by_category(base, plan, maker)
    if plan.placebo:
        variants += _placebos(base, plan, maker)
    return tuple(variants)


def _of(templates: Sequence[str], poolings: Sequence[Pooling]) -> Sequence[Pooling]:
    """Return the poolings that mean something for so many templates: one has nothing to pool."""
    return poolings if len(templates) > 1 else (Pooling("mean"),)


def _by_category(base: Ground, plan: PromptPlan, maker: _Maker) -> list[Variant]:
    """Return each caption under its own label's templates (an oracle), and the same without labels."""
    labels = plan.labels or {}
    unlabelled = (PLAIN,) * 10
    chosen = [
        category_set(labels[c.id]).templates if labels.get(c.id) in _CATEGORIES else unlabelled
        for c in base.gallery.captions
    ]
    every = tuple(dict.fromkeys(t for name in sorted(_CATEGORIES) for t in category_set(name).templates))
    found = []
    for pooling in plan.poolings:
        found.append(
            maker.variant(
                "by category (oracle)",
                chosen,
                pooling,
                labelled=True,
                needs="oracle: the label of the very failure",
            )
        )
        found.append(maker.variant("all categories, no label", [every] * len(chosen), pooling))
    return found


_CATEGORIES = frozenset(one.category for one in SETS.values() if one.category)


def _placebos(base: Ground, plan: PromptPlan, maker: _Maker) -> list[Variant]:
    count = len(base.gallery.captions)
    found = []
    for pooling in plan.poolings[:1]:
        found.append(maker.variant("caption repeated", [(PLAIN,) * 5] * count, pooling, placebo=True))
        found.append(maker.variant("random words", [NONSENSE] * count, pooling, placebo=True))
        if plan.labels is not None:
            names = sorted(_CATEGORIES)
            wrong = [
                category_set(names[(names.index(label) + 1) % len(names)]).templates
                if (label := (plan.labels or {}).get(c.id, "")) in _CATEGORIES
                else (PLAIN,) * 10
                for c in base.gallery.captions
            ]
            found.append(maker.variant("a wrong category", wrong, pooling, placebo=True, labelled=True))
    return found


@dataclass(frozen=True)
class _Maker:
    base: Ground
    progress: Progress

    def variant(
        self,
        name: str,
        templates: Sequence[Sequence[str]],
        pooling: Pooling,
        *,
        placebo: bool = False,
        labelled: bool = False,
        needs: str = "",
    ) -> Variant:
        """Return one variant. templates: for each caption as many as for every other."""
        method: dict[str, Json] = {"name": METHOD, "set": name, "pool": pooling.name}
        distinct = list(dict.fromkeys(map(tuple, templates)))
        if len(distinct) == 1:
            method["templates"] = list(distinct[0])
        else:  # which caption has which is part of what is ranked
            method["templates"] = digest("templates", [list(one) for one in templates])
        if pooling.tau is not None:
            method["tau"] = pooling.tau
        label = name if len(templates[0]) == 1 else f"{name}, {pooling}"
        strings = len({fill(t, c.text) for c, own in self._captions(templates) for t in own})
        return Variant(
            label,
            method,
            lambda: self._rank(templates, pooling),
            placebo=placebo,
            labelled=labelled,
            oracle=needs.startswith("oracle"),
            needs=needs,
            strings=strings,
        )

    def _captions(self, templates: Sequence[Sequence[str]]) -> Iterator[tuple[Caption, Sequence[str]]]:
        """Yield every caption with its templates."""
        return zip(self.base.gallery.captions, templates, strict=True)

    def _rank(self, templates: Sequence[Sequence[str]], pooling: Pooling) -> Ranking:
        count = len(templates[0])
        texts = [
            [fill(own[k], caption.text) for caption, own in self._captions(templates)] for k in range(count)
        ]
        vectors = self._encoded(texts)
        images = self.base.image_vectors()
        if pooling.name == "vector":
            return pair_ranking(self.base, Product(images, averaged(vectors, renormalise=True)))
        if count == 1:
            return pair_ranking(self.base, Product(images, vectors[0]))
        scorer = Pooled(
            images, vectors, lambda blocks: pool(blocks, pooling), pooling.slope(count), pooling.noise(count)
        )
        return pair_ranking(self.base, scorer)

    def _encoded(self, texts: Sequence[Sequence[str]]) -> list[Vectors]:
        source = self.base.source
        source.ensure_texts({text for part in texts for text in part}, self.progress)
        stored = Pool(self.base.store, source.identity.key, "text")
        return [np.ascontiguousarray(stored.gather([text_key(text) for text in part])) for part in texts]


def poolings_of(words: Sequence[str], taus: Sequence[str], scale: float | None) -> tuple[Pooling, ...]:
    """Return the poolings that `--pool` and `--tau` name; `scale` is the model's logit scale, None if unknown.

    Raises ClipbenchError for words that name none, and where "scale" is asked of a model that has none.
    """
    found: list[Pooling] = []
    for word in words:
        if word not in TEMPERED:
            found.append(Pooling(word))  # type: ignore[arg-type]  # refused there where it is no name
            continue
        found += [Pooling(word, _tau(tau, scale)) for tau in taus]
    return tuple(dict.fromkeys(found))


def _tau(word: str, scale: float | None) -> float:
    if word == "scale":
        if not scale:
            raise ClipbenchError("this model tells no logit scale", "--tau 0.01")
        return 1 / scale
    try:
        return float(word)
    except ValueError:
        raise ClipbenchError(f"{word!r} is no temperature", "--tau scale, or a number above 0") from None


def prompt_words(method: Mapping[str, Json]) -> str:
    """Return a method of prompts in words."""
    templates = method["templates"]
    count = f"{len(templates)} templates" if isinstance(templates, list) else "templates by caption"
    tau = method.get("tau")
    temperature = f" τ={tau:g}" if isinstance(tau, float | int) else ""
    if isinstance(templates, list) and len(templates) == 1:
        return f"prompt {templates[0]!r}"
    return f"prompts {method['set']} ({count}, {method['pool']}{temperature})"
