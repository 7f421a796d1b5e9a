"""The scene graph: what a drawn scene holds, and how scenes differ by exactly one thing.

A scene has a context and one or two groups of like objects; two groups stand in one relation. This
module knows no pictures and no sentences. A graph belongs to one split by its own digest, so no graph
can ever be in two splits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from clipbench.demo.scenes.stream import Stream
from clipbench.keys import digest

Relation: TypeAlias = Literal["left", "above"]
Aspect: TypeAlias = Literal["attribute", "action", "count", "context", "spatial", "object"]

ASPECTS: tuple[Aspect, ...] = ("attribute", "action", "count", "context", "spatial", "object")
SPLITS = ("train", "val", "test")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
SIZES = ("big", "small")
TEXTURES = ("plain", "striped", "dotted")
CONTEXTS = ("meadow", "beach", "snow", "desert", "forest", "street", "room", "night")
RELATIONS: tuple[Relation, ...] = ("left", "above")
COUNTS = (1, 2, 3, 4)
STILL = "still"

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ball": ("rolling", "bouncing", "spinning", "falling"),
    "box": ("sliding", "falling", "shaking"),
    "kite": ("flying", "falling", "spinning"),
    "balloon": ("rising", "flying", "shaking"),
    "bird": ("flying", "jumping", "falling"),
    "fish": ("jumping", "swimming", "spinning"),
    "car": ("racing", "jumping", "shaking"),
    "boat": ("sailing", "rocking", "spinning"),
    "house": ("shaking", "glowing", "falling"),
    "star": ("shining", "falling", "spinning"),
    "cup": ("sliding", "spinning", "falling"),
    "umbrella": ("flying", "spinning", "falling"),
    "mushroom": ("glowing", "shaking", "jumping"),
    "flower": ("swaying", "glowing", "spinning"),
}
"""What each kind of object can do, besides standing still."""

KINDS = tuple(ACTIONS)


@dataclass(frozen=True, slots=True)
class Group:
    """One to four like objects. `action` is "still" or one of the kind's actions."""

    kind: str
    colour: str
    size: str
    texture: str
    count: int
    action: str


@dataclass(frozen=True, slots=True)
class SceneGraph:
    """What a scene holds. With two groups, the first is left of or above the second.

    That order is part of the definition ("B right of A" is "A left of B"), so equal scenes have equal
    graphs. `relation` is None for one group.
    """

    context: str
    groups: tuple[Group, ...]
    relation: Relation | None

    @property
    def key(self) -> str:
        """Digest of the whole graph: its identity."""
        return digest("scene", self.as_json())

    @property
    def split(self) -> str:
        """The one split this graph may occur in, each a third of all graphs."""
        return SPLITS[int(self.key.rpartition(":")[2][:12], 16) % len(SPLITS)]

    def as_json(self) -> dict[str, Any]:
        """Return the graph as JSON values."""
        return {
            "context": self.context,
            "groups": [asdict(group) for group in self.groups],
            "relation": self.relation,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SceneGraph:
        """Return the graph that `as_json` wrote. Raises KeyError or TypeError for anything else."""
        groups = tuple(Group(**group) for group in value["groups"])
        return cls(value["context"], groups, value["relation"])


def draw_graph(stream: Stream) -> SceneGraph:
    """Return a random graph: one group in a fifth of the scenes, two otherwise, of unlike kinds."""
    context = stream.pick(CONTEXTS)
    first = _group(stream, KINDS)
    if stream.chance(0.2):
        return SceneGraph(context, (first,), None)
    second = _group(stream, [kind for kind in KINDS if kind != first.kind])
    return SceneGraph(context, (first, second), stream.pick(RELATIONS))


def _group(stream: Stream, kinds: tuple[str, ...] | list[str]) -> Group:
    kind = stream.pick(kinds)
    return Group(
        kind=kind,
        colour=stream.pick(COLOURS),
        size=stream.pick(SIZES),
        texture=stream.pick(("plain", *TEXTURES)),  # half of the objects are plain
        count=stream.pick((1, *COUNTS)),
        action=STILL if stream.chance(0.35) else stream.pick(ACTIONS[kind]),
    )


def draw_family(stream: Stream, split: str, size: int) -> Iterator[tuple[SceneGraph, Aspect | None]]:
    """Yield a scene of `split`, then size - 1 near-duplicates of it, each with what was changed.

    Each near-duplicate differs from the first scene in one thing. Endless rejection is impossible in
    practice: every scene has more than fifty neighbours, a third of them in the split.
    """
    base = draw_graph(stream)
    while base.split != split:
        base = draw_graph(stream)
    yield base, None
    seen = {base}
    aspects = stream.shuffled(ASPECTS)
    if stream.chance(0.4):  # few scenes have this neighbour, so it would be rare
        aspects.insert(0, "spatial")
    while len(seen) < size:
        for aspect in aspects:
            mixed = stream.shuffled(neighbours(base, aspect))
            graph = next((g for g in mixed if g not in seen and g.split == split), None)
            if graph and len(seen) < size:
                seen.add(graph)
                yield graph, aspect


def neighbours(graph: SceneGraph, aspect: Aspect) -> list[SceneGraph]:
    """Return all scenes that differ from `graph` in this one aspect, in a fixed order."""
    if aspect == "context":
        return [replace(graph, context=context) for context in CONTEXTS if context != graph.context]
    if aspect == "spatial":
        if graph.relation is None:
            return []
        swapped = (graph.groups[1], graph.groups[0])
        turned: Relation = "above" if graph.relation == "left" else "left"
        # The swap is listed twice: telling it apart needs the order of the words, so it is wanted often.
        return [
            replace(graph, groups=swapped),
            replace(graph, groups=swapped),
            replace(graph, relation=turned),
            replace(graph, groups=swapped, relation=turned),
        ]
    found = []
    for place, group in enumerate(graph.groups):
        others = {other.kind for other in graph.groups if other is not group}
        for changed in _changes(group, aspect):
            if changed.kind not in others:
                groups = (*graph.groups[:place], changed, *graph.groups[place + 1 :])
                found.append(replace(graph, groups=groups))
    if aspect == "attribute" and len(graph.groups) == 2:
        first, second = graph.groups
        if first.colour != second.colour:
            crossed = (replace(first, colour=second.colour), replace(second, colour=first.colour))
            found += [replace(graph, groups=crossed)] * 6  # as above: binding colours to nouns
    return found


def _changes(group: Group, aspect: Aspect) -> list[Group]:
    if aspect == "count":
        return [replace(group, count=count) for count in COUNTS if count != group.count]
    if aspect == "action":
        actions = (STILL, *ACTIONS[group.kind])
        return [replace(group, action=action) for action in actions if action != group.action]
    if aspect == "object":
        kinds = [k for k in KINDS if k != group.kind and group.action in (STILL, *ACTIONS[k])]
        return [replace(group, kind=kind) for kind in kinds]
    changed = [replace(group, colour=colour) for colour in COLOURS if colour != group.colour]
    changed += [replace(group, size=size) for size in SIZES if size != group.size]
    return changed + [replace(group, texture=t) for t in TEXTURES if t != group.texture]
