"""What a caption says, as a partial scene graph, and where a scene contradicts it.

Because scene and saying are both known, the true reason of a retrieval failure is known too: the scene
found either agrees with every word of the caption (the caption was ambiguous) or contradicts it in some
aspect. This module knows no sentences; `scene_captions` puts a saying into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, TypeAlias

from clipbench.demo.scenes.graph import Aspect, Group, Relation, SceneGraph

Said: TypeAlias = Mapping[str, str | int]
"""What is said of one group: kind, colour, size, texture, action, count, or "plural": 1 for "some"."""

ASPECT_OF: Mapping[str, Aspect] = {
    "kind": "object",
    "colour": "attribute",
    "size": "attribute",
    "texture": "attribute",
    "count": "count",
    "plural": "count",
    "action": "action",
}
BY_WEIGHT: tuple[Aspect, ...] = ("object", "attribute", "count", "action", "spatial", "context")
"""A failure with several causes is named after the first of these."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What one caption says of its scene; None or a missing name where it is silent.

    With two groups they are in the order of the graph, whatever the order of the words; with one, it
    may be either group of the scene. `relation` is None where the caption says "near" or "and".
    """

    context: str | None
    groups: tuple[Said, ...]
    relation: Relation | None

    def as_json(self) -> dict[str, Any]:
        """Return the saying as JSON values."""
        groups = [dict(said) for said in self.groups]
        return {"context": self.context, "groups": groups, "relation": self.relation}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Saying:
        """Return the saying that `as_json` wrote. Raises KeyError or TypeError for anything else."""
        groups = tuple(dict(said) for said in value["groups"])
        return cls(value["context"], groups, value["relation"])


def contradictions(saying: Saying, graph: SceneGraph) -> tuple[Aspect, ...]:
    """Return the aspects in which `graph` contradicts the caption, heaviest first; () where it is true.

    The said groups are matched to the scene's groups in the way that contradicts least; a said group
    that the scene has no place for is a missing object.
    """
    best: list[Aspect] | None = None
    places = [*range(len(graph.groups)), *([None] * len(saying.groups))]
    for matching in dict.fromkeys(permutations(places, len(saying.groups))):
        found = _against(saying, graph, matching)
        if best is None or len(found) < len(best):
            best = found
    wrong = set(best or ())
    return tuple(aspect for aspect in BY_WEIGHT if aspect in wrong)


def _against(saying: Saying, graph: SceneGraph, matching: tuple[int | None, ...]) -> list[Aspect]:
    found: list[Aspect] = [] if saying.context in (None, graph.context) else ["context"]
    for said, place in zip(saying.groups, matching, strict=True):
        if place is None:
            found += ["object"] * (1 + len(said))  # worse than any wrong match
        else:
            found += _wrong_of(said, graph.groups[place])
    if saying.relation is not None and (saying.relation != graph.relation or matching != (0, 1)):
        found.append("spatial")
    return found


def _wrong_of(said: Said, group: Group) -> list[Aspect]:
    wrong: list[Aspect] = []
    for name, value in said.items():
        true = group.count > 1 if name == "plural" else getattr(group, name) == value
        if not true:
            wrong.append(ASPECT_OF[name])
    return wrong


def true_label(saying: Saying, found: SceneGraph, *, same_family: bool) -> tuple[str, str | None]:
    """Return the category (and the subtype of Ambiguous) of a failure whose top-1 scene is `found`.

    `same_family`: the scene found is a near-duplicate of the caption's own.
    """
    wrong = contradictions(saying, found)
    if wrong:
        return wrong[0].capitalize(), None
    return "Ambiguous", "nearduplicate" if same_family else "underspecified"
