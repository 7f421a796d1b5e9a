"""What text operations draw upon besides the caption: synonyms, user-written rewrites, a template.

Everything enters through one frozen record, never through globals, and each part says what it is
(`identity`), so that a stored perturbation names the very data it used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from clipbench.errors import ClipbenchError
from clipbench.keys import Json, digest
from clipbench.perturb.synonym_table import table_synonyms

DEFAULT_TEMPLATE = "a photo of {}"
"""The first of CLIP's own prompt templates (Radford et al. 2021, arXiv 2103.00020)."""


@dataclass(frozen=True, slots=True)
class SynonymSource:
    """Where synonyms come from.

    `lookup` maps a lower-case word to its one-word synonyms, best first, in the same inflection;
    an empty tuple where it knows none. `identity` says which source and which version of it.
    """

    identity: Mapping[str, Json]
    lookup: Callable[[str], tuple[str, ...]]


SYNONYM_TABLE = SynonymSource({"source": "table", "version": 2}, table_synonyms)
"""The small built-in table, used where the user has no WordNet."""


@dataclass(frozen=True)
class Rewrites:
    """A column of captions rewritten by the user, e.g. "formal", "passive", "back-translation".

    `texts` maps caption ids to rewrites.
    """

    label: str
    texts: Mapping[str, str] = field(repr=False)

    @property
    def identity(self) -> dict[str, Json]:
        """The label, and a digest of every id and rewrite."""
        rows: list[Json] = [[id_, self.texts[id_]] for id_ in sorted(self.texts)]
        return {"label": self.label, "texts": digest("rewrites", rows)}


@dataclass(frozen=True)
class TextResources:
    """The data that some operations need; the defaults serve all but `rewrite`.

    `template` holds `{}` where the caption goes.
    """

    synonyms: SynonymSource = SYNONYM_TABLE
    rewrites: Rewrites | None = None
    template: str = DEFAULT_TEMPLATE

    def __post_init__(self) -> None:
        """Raise ClipbenchError for a template without exactly one place for the caption."""
        if self.template.count("{}") != 1:
            places = self.template.count("{}")
            raise ClipbenchError(
                f"the template '{self.template}' has {places} places for the caption, not 1",
                f'write one {{}} into it, as in "{DEFAULT_TEMPLATE}"',
            )


DEFAULT_RESOURCES = TextResources()
