"""The drawn scenes: the same everywhere, true to their graphs, and never shared between splits."""

import hashlib
import io
import json
import random
import re
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipbench.demo.scenes import collection as scenes
from clipbench.demo.scenes.captions import NUMBERS, write_captions
from clipbench.demo.scenes.drawing import SIDE, draw_scene
from clipbench.demo.scenes.graph import (
    ACTIONS,
    ASPECTS,
    COLOURS,
    KINDS,
    SPLITS,
    Group,
    SceneGraph,
    draw_graph,
    neighbours,
)
from clipbench.demo.scenes.kinds import SHAPES
from clipbench.demo.scenes.marks import MARKS
from clipbench.demo.scenes.stream import Stream
from clipbench.demo.scenes.truth import Saying, contradictions, true_label
from clipbench.errors import DatasetError

BALL = Group("ball", "red", "big", "plain", 1, "rolling")
BOX = Group("box", "blue", "small", "striped", 2, "still")
SCENE = SceneGraph("meadow", (BALL, BOX), "left")
SAYS = Saying(
    "meadow", ({"kind": "ball", "colour": "red", "action": "rolling"}, {"kind": "box", "count": 2}), "left"
)

# Changes only together with scenes.VERSION: a stored run names its captions by their text.
GOLDEN_TEST_SPLIT = "417278b0476502cac265ed08952b04b671490375154ff2d7cd37b21f1a9e2f6d"

TEST = tuple(scenes.plan("test"))
VAL = tuple(scenes.plan("val"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Make the splits small, so that drawing one is quick."""
    monkeypatch.setattr(scenes, "IMAGES", dict.fromkeys(SPLITS, 12))
    return 12


def test_a_stream_gives_the_numbers_its_name_says() -> None:
    seed = int.from_bytes(hashlib.sha256(b"clipbench\nscene\n1").digest()[:16], "big")
    assert Stream("scene", 1).unit() == random.Random(seed).random()  # noqa: S311 - the very generator


@given(st.integers(0, 10**6), st.lists(st.integers(), max_size=20))
@settings(max_examples=50)
def test_shuffling_keeps_every_item(seed: int, items: list[int]) -> None:
    assert Counter(Stream(seed).shuffled(items)) == Counter(items)


def test_graphs_and_captions_never_change() -> None:
    told = [[s.graph.as_json(), [[c.text, c.detail, c.says.as_json()] for c in s.captions]] for s in TEST]
    assert hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest() == GOLDEN_TEST_SPLIT


def test_a_picture_does_not_depend_on_what_was_drawn_before() -> None:
    forward = [scenes.picture(scene) for scene in TEST[:8]]
    backward = [scenes.picture(scene) for scene in reversed(TEST[:8])]
    assert forward == backward[::-1]
    assert len(set(forward)) == 8


def test_pictures_are_small_rgb_pngs() -> None:
    with Image.open(io.BytesIO(scenes.picture(TEST[0]))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (SIDE, SIDE))


def test_the_test_split_is_big_enough_and_five_captions_each() -> None:
    assert 500 <= len(TEST) <= 600
    assert 500 <= len(VAL) <= 600
    assert all(len(scene.captions) == 5 for scene in TEST + VAL)
    assert [c.detail for c in TEST[0].captions] == ["full", "full", "partial", "partial", "vague"]


def test_no_two_images_share_a_graph() -> None:
    graphs = [scene.graph for scene in TEST + VAL]
    assert len(set(graphs)) == len(graphs)
    assert len({graph.key for graph in graphs}) == len(graphs)


def test_a_graph_belongs_to_one_split_and_is_only_drawn_there() -> None:
    """The split is a function of the graph, so splits cannot share one however many are drawn."""
    train = [scene for scene, _ in zip(scenes.plan("train"), range(400), strict=False)]
    for split, drawn in (("train", train), ("val", VAL), ("test", TEST)):
        assert {scene.graph.split for scene in drawn} == {split}


@pytest.mark.slow
def test_no_training_graph_is_in_val_or_test() -> None:
    train = {scene.graph for scene in scenes.plan("train")}
    assert len(train) == scenes.IMAGES["train"]
    assert not train & {scene.graph for scene in TEST + VAL}


def test_a_near_duplicate_differs_from_the_first_of_its_family_in_one_aspect() -> None:
    first = {scene.family: scene.graph for scene in reversed(TEST)}
    assert {scene.changed for scene in TEST} == {None, *ASPECTS}
    for scene in TEST:
        if scene.changed is None:
            assert scene.graph == first[scene.family]
        else:
            assert scene.graph in neighbours(first[scene.family], scene.changed)


@pytest.mark.parametrize("aspect", ["context", "spatial"])
def test_a_changed_context_or_place_leaves_the_objects_alone(aspect: str) -> None:
    for graph in neighbours(SCENE, aspect):  # type: ignore[arg-type]  # the aspect is one of the two
        assert set(graph.groups) == set(SCENE.groups)
        assert graph != SCENE


@pytest.mark.parametrize(
    ("aspect", "fields"),
    [
        ("attribute", {"colour", "size", "texture"}),
        ("action", {"action"}),
        ("count", {"count"}),
        ("object", {"kind"}),
    ],
)
def test_a_changed_object_changes_only_what_it_says(aspect: str, fields: set[str]) -> None:
    for graph in neighbours(SCENE, aspect):  # type: ignore[arg-type]  # the aspect is one of the four
        assert (graph.context, graph.relation) == (SCENE.context, SCENE.relation)
        changed = set()
        for old, new in zip(SCENE.groups, graph.groups, strict=True):
            changed |= {name for name, value in asdict(new).items() if value != getattr(old, name)}
        assert changed
        assert changed <= fields


def test_whatever_the_graph_says_can_be_seen() -> None:
    """Drawn with the same stream, a scene and its neighbour are never the same picture."""
    for aspect in ASPECTS:
        pictures = {draw_scene(graph, Stream("look")).tobytes() for graph in set(neighbours(SCENE, aspect))}
        assert len(pictures) == len(set(neighbours(SCENE, aspect)))
        assert draw_scene(SCENE, Stream("look")).tobytes() not in pictures


def test_every_kind_and_action_can_be_drawn() -> None:
    assert set(SHAPES) == set(KINDS)
    assert set(MARKS) == {action for actions in ACTIONS.values() for action in actions}


def test_every_caption_is_true_of_its_own_scene() -> None:
    for scene in TEST + VAL:
        for caption in scene.captions:
            assert contradictions(caption.says, scene.graph) == ()


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_full_captions_name_what_is_there_and_nothing_else(seed: int) -> None:
    """Read back from the words alone, knowing nothing of how they were put together."""
    graph = draw_graph(Stream("graph", seed))
    for caption in write_captions(graph, Stream("caption", seed))[:2]:
        words = re.findall(
            r"[a-z]+", caption.text.lower().replace("on the road", "").replace("green field", "")
        )
        assert Counter(w for w in words if w in COLOURS) == Counter(g.colour for g in graph.groups)
        kinds = [w if w in KINDS else w.removesuffix("s").removesuffix("e" * (w == "boxes")) for w in words]
        assert Counter(k for k in kinds if k in KINDS) == Counter(g.kind for g in graph.groups)
        numbers = Counter(NUMBERS.index(w) for w in words if w in NUMBERS[2:])
        assert numbers == Counter(g.count for g in graph.groups if g.count > 1)
        actions = {action for each in ACTIONS.values() for action in each}
        assert Counter(w for w in words if w in actions) == Counter(
            g.action for g in graph.groups if g.action != "still"
        )


def test_the_order_of_the_words_tells_what_is_left_and_what_is_above() -> None:
    checked = 0
    for scene in TEST:
        if scene.graph.relation is None:
            continue
        for caption in scene.captions[:3]:
            first, second = (
                re.search(rf"\b{group.kind}(e?s)?\b", caption.text).start() for group in scene.graph.groups
            )
            found = re.search(r"\b(left|right|above|over|below|under)\b(?! the moon)", caption.text)
            assert found is not None
            assert (found[1] in {"left", "above", "over"}) == (first < second)
            assert (found[1] in {"left", "right"}) == (scene.graph.relation == "left")
            checked += 1
    assert checked > 1000


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (replace(SCENE, groups=(replace(BALL, kind="car", action="still"), BOX)), "Object"),
        (replace(SCENE, groups=(replace(BALL, colour="green"), BOX)), "Attribute"),
        (replace(SCENE, groups=(BALL, replace(BOX, count=3))), "Count"),
        (replace(SCENE, groups=(replace(BALL, action="falling"), BOX)), "Action"),
        (replace(SCENE, groups=(BOX, BALL)), "Spatial"),
        (replace(SCENE, relation="above"), "Spatial"),
        (replace(SCENE, context="snow"), "Context"),
        (SceneGraph("meadow", (BALL,), None), "Object"),
    ],
)
def test_a_contradiction_is_named_after_its_heaviest_aspect(found: SceneGraph, label: str) -> None:
    assert true_label(SAYS, found, same_family=True) == (label, None)


def test_a_scene_that_agrees_with_every_word_makes_the_caption_ambiguous() -> None:
    unsaid = replace(SCENE, groups=(BALL, replace(BOX, texture="dotted")))
    assert true_label(SAYS, unsaid, same_family=True) == ("Ambiguous", "nearduplicate")
    assert true_label(SAYS, unsaid, same_family=False) == ("Ambiguous", "underspecified")


def test_some_means_more_than_one() -> None:
    some = Saying(None, ({"kind": "box", "plural": 1},), None)
    assert contradictions(some, SCENE) == ()
    assert contradictions(some, SceneGraph("room", (replace(BOX, count=1),), None)) == ("count",)


def test_every_class_of_failure_occurs_in_the_test_split() -> None:
    """A model that confuses near-duplicates, or takes another scene a vague caption fits, makes them all."""
    labels = set()
    for scene in TEST:
        for other in TEST:
            same = scene.family == other.family
            if other is not scene and (same or other.graph.context == scene.graph.context):
                chosen = scene.captions if same else scene.captions[4:]
                labels |= {true_label(c.says, other.graph, same_family=same) for c in chosen}
    one = {(name, None) for name in ("Attribute", "Action", "Count", "Context", "Spatial", "Object")}
    assert labels == one | {("Ambiguous", "underspecified"), ("Ambiguous", "nearduplicate")}


def test_a_drawn_split_reads_back_as_a_dataset(tmp_path: Path, few: int) -> None:
    told: list[tuple[int, int]] = []
    home = scenes.draw(tmp_path, "val", progress=lambda done, total: told.append((done, total)))
    data = scenes.read(tmp_path, "val")
    assert told == [(n, few) for n in range(1, few + 1)]
    assert (data.name, data.format, data.split, data.caption_policy) == ("scenes", "scenes", "val", "all")
    assert data.image_folder == home == tmp_path / "val"
    assert [c.id for c in data.samples[0].captions] == [f"val-00000#{n}" for n in range(5)]
    for sample, scene in zip(data.samples, scenes.plan("val"), strict=True):
        assert [c.text for c in sample.captions] == [c.text for c in scene.captions]
        assert sample.digest == hashlib.sha256((home / str(sample.path)).read_bytes()).hexdigest()
    assert scenes.scenes(tmp_path, "val") == tuple(scenes.plan("val"))
    assert scenes.graphs(tmp_path, "val") == {s.id: s.graph for s in scenes.plan("val")}


def test_drawing_twice_keeps_the_files_and_gives_the_same_bytes(tmp_path: Path, few: int) -> None:
    home = scenes.draw(tmp_path / "a", "test")
    times = {path.name: path.stat().st_mtime_ns for path in home.iterdir()}
    assert scenes.draw(tmp_path / "a", "test") == home
    assert {path.name: path.stat().st_mtime_ns for path in home.iterdir()} == times
    other = scenes.draw(tmp_path / "b", "test")
    assert {p.name: p.read_bytes() for p in home.iterdir()} == {
        p.name: p.read_bytes() for p in other.iterdir()
    }
    assert scenes.read(tmp_path / "a", "test").key == scenes.read(tmp_path / "b", "test").key


@pytest.mark.parametrize("name", ["test-00003.png", "scenes.jsonl", "manifest.json"])
@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_damaged_split_is_refused_and_drawn_again(tmp_path: Path, few: int, name: str, damage: str) -> None:
    home = scenes.draw(tmp_path, "test")
    whole = (home / name).read_bytes()
    if damage == "gone":
        (home / name).unlink()
    else:
        (home / name).write_bytes(whole[:-40])
    with pytest.raises(DatasetError):
        scenes.read(tmp_path, "test")
    scenes.draw(tmp_path, "test")
    assert (home / name).read_bytes() == whole
    assert len(scenes.read(tmp_path, "test").samples) == few


def test_an_interrupted_drawing_is_not_taken_for_a_whole_one(tmp_path: Path, few: int) -> None:
    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scenes.draw(tmp_path, "test", progress=stop)
    with pytest.raises(DatasetError, match="no drawn scenes"):
        scenes.read(tmp_path, "test")
    scenes.draw(tmp_path, "test")
    assert len(scenes.read(tmp_path, "test").samples) == few


def test_an_unknown_split_or_version_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no split 'dev'"):
        scenes.draw(tmp_path, "dev")
    with pytest.raises(DatasetError, match="version 99"):
        scenes.draw(tmp_path, "test", version=99)


def test_drawing_needs_no_torch() -> None:
    code = "import sys, clipbench.demo.scenes.collection; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
