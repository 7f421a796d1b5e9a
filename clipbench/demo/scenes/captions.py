"""Five captions for a scene graph: two that say everything, two that say a part, one vague.

The grammar only ever says what is true of the graph. Which scene is meant often hangs on the order of
the words ("a red ball left of a blue box"). This module knows no pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipbench.demo.scenes.graph import STILL, Group, SceneGraph
from clipbench.demo.scenes.stream import Stream
from clipbench.demo.scenes.truth import Said, Saying

Detail: TypeAlias = Literal["full", "partial", "vague"]

NUMBERS = ("no", "one", "two", "three", "four")
PLURALS: Mapping[str, str] = {"box": "boxes", "fish": "fish"}
WORDS: Mapping[str, tuple[str, ...]] = {
    "big": ("big", "large"),
    "small": ("small", "little"),
    "striped": ("striped",),
    "dotted": ("dotted", "spotted"),
}
PLACES: Mapping[str, tuple[str, ...]] = {
    "meadow": ("in a meadow", "on the grass", "in a green field"),
    "beach": ("on the beach", "by the sea", "on the sand"),
    "snow": ("in the snow", "on a snowy day", "in winter"),
    "desert": ("in the desert", "among the dunes"),
    "forest": ("in the forest", "in the woods", "among the trees"),
    "street": ("in the street", "in the city", "on the road"),
    "room": ("in a room", "indoors", "at home"),
    "night": ("at night", "under the moon", "in the dark"),
}
FORWARD: Mapping[str, tuple[str, ...]] = {
    "left": ("left of", "to the left of", "on the left of"),
    "above": ("above", "over"),
}
BACKWARD: Mapping[str, tuple[str, ...]] = {
    "left": ("right of", "to the right of", "on the right of"),
    "above": ("below", "under"),
}
EVERYTHING = ("kind", "colour", "size", "texture", "count", "action")


@dataclass(frozen=True, slots=True)
class SceneCaption:
    """One caption: its words, how much it tells, and what exactly it says."""

    text: str
    detail: Detail
    says: Saying


def write_captions(graph: SceneGraph, stream: Stream) -> tuple[SceneCaption, ...]:
    """Return the five captions of a scene, always in this order: full, full, partial, partial, vague."""
    backward = stream.chance(0.5)
    return (
        _full(graph, stream, EVERYTHING, backward=backward),
        _full(graph, stream, ("kind", "colour", "texture", "count", "action"), backward=not backward),
        _relation_only(graph, stream),
        _context_only(graph, stream),
        _vague(graph, stream),
    )


def _full(graph: SceneGraph, stream: Stream, fields: tuple[str, ...], *, backward: bool) -> SceneCaption:
    place = stream.pick(PLACES[graph.context])
    sentence = _sentence(graph, stream, fields, backward=backward)
    text = f"{place}, {sentence}" if stream.chance(0.4) else f"{sentence} {place}"
    says = Saying(graph.context, tuple(_said(group, fields) for group in graph.groups), graph.relation)
    return SceneCaption(_finish(text), "full", says)


def _relation_only(graph: SceneGraph, stream: Stream) -> SceneCaption:
    fields = ("kind", "colour", "count", stream.pick(("size", "texture", "action")))
    text = _sentence(graph, stream, fields, backward=stream.chance(0.5))
    says = Saying(None, tuple(_said(group, fields) for group in graph.groups), graph.relation)
    return SceneCaption(_finish(text), "partial", says)


def _context_only(graph: SceneGraph, stream: Stream) -> SceneCaption:
    fields = ("kind", stream.pick(("count", "plural")), "colour", "action")
    phrases = [_clause(group, fields, stream, verb=False) for group in stream.shuffled(graph.groups)]
    text = (
        f"{stream.pick((' and ', ' near ', ' next to ')).join(phrases)} {stream.pick(PLACES[graph.context])}"
    )
    says = Saying(graph.context, tuple(_said(group, fields) for group in graph.groups), None)
    return SceneCaption(_finish(text), "partial", says)


def _vague(graph: SceneGraph, stream: Stream) -> SceneCaption:
    group = stream.pick(graph.groups)
    place = stream.pick(PLACES[graph.context])
    way = stream.below(4)
    if way == 0:
        fields: tuple[str, ...] = ("kind", "plural")
        text = f"{noun_phrase(group, fields, stream)} {place}"
    elif way == 1:
        fields = ("colour",)
        text = f"something {group.colour} {place}"
    elif way == 2 and group.action != STILL:
        fields = ("action",)
        text = f"something {group.action} {place}"
    else:
        fields = ("kind", "plural")
        others = [other for other in graph.groups if other is not group]
        text = " and ".join(noun_phrase(each, fields, stream) for each in (group, *others))
        says = Saying(None, tuple(_said(each, fields) for each in graph.groups), None)
        return SceneCaption(_finish(text), "vague", says)
    return SceneCaption(_finish(text), "vague", Saying(graph.context, (_said(group, fields),), None))


def _sentence(graph: SceneGraph, stream: Stream, fields: tuple[str, ...], *, backward: bool) -> str:
    if graph.relation is None:
        return _clause(graph.groups[0], fields, stream, verb=stream.chance(0.5))
    subject, other = reversed(graph.groups) if backward else graph.groups
    words = stream.pick((BACKWARD if backward else FORWARD)[graph.relation])
    first = _clause(subject, fields, stream, verb=stream.chance(0.5))
    return f"{first} {words} {_clause(other, fields, stream, verb=False)}"


def _clause(group: Group, fields: tuple[str, ...], stream: Stream, *, verb: bool) -> str:
    """Return a noun with what it does: "a red ball rolling", or "a red ball is rolling" with a verb."""
    noun = noun_phrase(group, fields, stream)
    if "action" not in fields or group.action == STILL:
        return noun
    link = (" is " if group.count == 1 else " are ") if verb else " "
    return f"{noun}{link}{group.action}"


def noun_phrase(group: Group, fields: tuple[str, ...], stream: Stream) -> str:
    """Return a noun phrase: number, size, texture, colour, kind."""
    words = []
    if "size" in fields:
        words.append(stream.pick(WORDS[group.size]))
    if "texture" in fields and group.texture in WORDS:
        words.append(stream.pick(WORDS[group.texture]))
    if "colour" in fields:
        words.append(group.colour)
    words.append(group.kind if group.count == 1 else PLURALS.get(group.kind, f"{group.kind}s"))
    if group.count > 1:
        number = NUMBERS[group.count] if "count" in fields else stream.pick(("some", "several"))
    else:
        number = "an" if words[0][0] in "aeiou" else "a"
    return " ".join((number, *words))


def _said(group: Group, fields: tuple[str, ...]) -> Said:
    """Return what `noun_phrase` and `_clause` say of a group; a plain or still object goes without saying."""
    said: dict[str, str | int] = {}
    for name in fields:
        if name == "plural":
            said.update({"plural": 1} if group.count > 1 else {"count": 1})
        elif getattr(group, name) not in ("plain", STILL):
            said[name] = getattr(group, name)
    return said


def _finish(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
