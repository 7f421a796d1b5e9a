"""The written report: one file that loads nothing, runs nothing and shows hostile words as words."""

import base64
import hashlib
import io
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, draw, environment, good, refused, write_csv

from clipbench.records import Sample
from clipbench.reports.figures.records import Point, Series
from clipbench.reports.html.curves import drawn_curves
from clipbench.reports.html.pictures import Pictures, Shot
from clipbench.reports.html.rendering import readable, stylesheet, templates
from clipbench.reports.tables import Column, Table

HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    '"quotes" & \'more\' "><b>bold</b>',
    "\u202eright to left override\u202c שלום עולם مرحبا",
    "x" * 3000,
    "</style></title><style>*{display:none}</style>",
    "javascript:alert(1) &lt;script&gt; {{7*7}} ${7*7}",
    "a\x00b\x08c a zero byte and a backspace",
    "=cmd|' /C calc'!A0",
    "emoji 👩‍👩‍👧‍👦 and a combining z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A",
    "a red field with a green corner",
]
VOID = {"meta", "img", "br", "line", "circle", "path", "polyline", "polygon", "rect", "!doctype"}


def part(name: str, *values: object) -> str:
    """What one of the templates' parts gives."""
    return readable(str(getattr(templates().get_template("parts.html").module, name)(*values)))


class Tree(HTMLParser):
    """Every element with its attributes; complains where tags do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(html: str) -> Tree:
    tree = Tree()
    tree.feed(html)
    tree.close()
    assert tree.open == []
    return tree


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store whose captions, tags and names are hostile, and the page about it."""
    folder = tmp_path_factory.mktemp("hostile")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        names = draw(folder / "photos", len(HOSTILE))
        texts = [text.replace("\x00", "").replace("\x08", "") for text in HOSTILE]
        rows = [(name, text) for name, text in zip(names, texts, strict=True)]
        file = write_csv(folder / "captions.csv", rows)
        named = "<b>data</b>&\"set'"
        good("dataset", "add", named, "--captions", file, "--images", folder / "photos", "-q")
        good("robustness", "sweep", named, "--model", "toy", "--perturb", "word-dropout",
             "--levels", "0.1,0.3,0.5", "--seeds", "2", "-q")  # fmt: skip
        good("runs", "tag", "latest", "<i>tag</i>")
        good("report", "--compare", "latest:clean", "latest:word-dropout=0.5", "--flips", "8",
             "--resamples", "200", "--html", folder / "out.html")  # fmt: skip
    return folder, (folder / "out.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(hostile: tuple[Path, str]) -> Tree:
    return parsed(hostile[1])


def test_nothing_in_the_page_runs_or_loads(tree: Tree, hostile: tuple[Path, str]) -> None:
    tags = {tag for tag, _ in tree.seen}
    assert not tags & {"script", "iframe", "object", "embed", "link", "form", "base", "audio", "video"}
    for tag, attributes in tree.seen:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert "style" not in attributes
        for name in ("href", "src", "srcset", "xlink:href", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/jpeg;base64,")), (tag, value)
    assert "url(" not in stylesheet()
    assert "@import" not in stylesheet()
    assert "http" not in re.sub(r'xmlns="http://www\.w3\.org/2000/svg"', "", hostile[1]).replace(
        "http-equiv", ""
    )


def test_the_policy_allows_this_style_sheet_and_no_other(tree: Tree, hostile: tuple[Path, str]) -> None:
    [policy] = [str(a["content"]) for tag, a in tree.seen if tag == "meta" and "http-equiv" in a]
    assert policy.startswith("default-src 'none'")
    [style] = re.findall(r"<style>(.*?)</style>", hostile[1], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "<" not in style


def test_hostile_captions_are_shown_as_they_are(tree: Tree) -> None:
    text = "".join(tree.text)
    shown = [caption for caption in HOSTILE if caption in text]
    assert {HOSTILE[0], HOSTILE[2], HOSTILE[4]} <= set(shown)
    assert len(shown) > 5
    assert "<b>data</b>&\"set'" in text


def test_words_of_others_keep_their_direction_to_themselves(tree: Tree, hostile: tuple[Path, str]) -> None:
    isolated = [a for tag, a in tree.seen if a.get("dir") == "auto"]
    assert all("foreign" in str(a["class"]) for a in isolated)
    assert ".foreign { unicode-bidi: isolate" in stylesheet()
    for match in re.finditer("\u202e", hostile[1]):
        start = hostile[1].rfind("<", 0, match.start())
        assert re.match(r'<(span|blockquote)[^>]*(dir="auto"|foreign)', hostile[1][start:]), hostile[1][
            start:
        ][:80]


def test_the_page_is_for_phones_paper_and_the_dark(tree: Tree) -> None:
    metas = {str(a.get("name")): a.get("content") for tag, a in tree.seen if tag == "meta"}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    for rule in ("@media print", "prefers-color-scheme: dark", "overflow: auto", "@media (max-width"):
        assert rule in stylesheet()


def test_tables_can_be_reached_and_read(tree: Tree) -> None:
    boxes = [a for tag, a in tree.seen if a.get("class") == "scroll"]
    assert boxes
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in boxes)
    assert all(a.get("alt") for tag, a in tree.seen if tag == "img")
    assert {"h1", "h2", "h3", "main", "header", "footer", "nav"} <= {tag for tag, _ in tree.seen}


def test_every_link_within_the_page_leads_somewhere(tree: Tree) -> None:
    ids = [str(a["id"]) for _, a in tree.seen if "id" in a]
    links = [str(a["href"])[1:] for tag, a in tree.seen if tag == "a"]
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    assert {"runs", "comparison", "flips", "robustness", "failures", "numbers"} <= set(links)


def test_the_footer_repeats_the_commands_and_keys(tree: Tree) -> None:
    text = "".join(tree.text)
    assert "clipbench report --compare latest:clean latest:word-dropout=0.5 --flips 8" in text
    assert "clipbench robustness sweep" in text
    assert re.search(r"run:[0-9a-f]{40}", text)
    assert re.search(r"encoder:[0-9a-f]{40}", text)


def test_pictures_are_small_jpegs_without_metadata(hostile: tuple[Path, str]) -> None:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", hostile[1])
    assert found
    for data in found:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert (image.format, max(image.size) <= 240) == ("JPEG", True)
            assert not image.getexif()


def test_curves_have_their_numbers_in_words(tree: Tree) -> None:
    assert any(tag == "svg" and a["role"] == "img" for tag, a in tree.seen)
    assert any("toy: 0: " in text for text in tree.text)


def test_the_same_store_gives_the_same_page(hostile: tuple[Path, str]) -> None:
    folder, first = hostile
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        words = (
            "report",
            "--compare",
            "latest:clean",
            "latest:word-dropout=0.5",
            "--flips",
            "8",
            "--resamples",
            "200",
        )
        good(*words, "--html", folder / "again.html")
    second = (folder / "again.html").read_text(encoding="utf-8")
    assert second.replace("again.html", "out.html") == first


def test_photographs_that_are_gone_are_said_to_be_gone(tmp_path: Path) -> None:
    added(tmp_path / "source", images=8)
    good("evaluate", "toys", "--model", "toy", "-q")
    shutil.rmtree(tmp_path / "source" / "photos")
    good("report", "--html", tmp_path / "out.html")
    tree = parsed((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert not [tag for tag, _ in tree.seen if tag == "img"]
    assert any("no photograph: No such file" in text for text in tree.text)


def test_an_existing_file_is_kept_unless_told(tmp_path: Path) -> None:
    added(tmp_path / "source", images=6)
    good("evaluate", "toys", "--model", "toy", "-q")
    out = tmp_path / "out.html"
    out.write_text("mine")
    assert "exists" in refused("report", "--html", out)
    assert out.read_text() == "mine"
    good("report", "--html", out, "--force")
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_store_without_runs_has_no_report(tmp_path: Path) -> None:
    added(tmp_path / "source", images=4)
    assert "no run is stored" in refused("report", "--html", tmp_path / "out.html")


def test_a_photograph_outside_its_folder_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "secret.png")
    album = Pictures(tmp_path / "photos")
    for path in ("../secret.png", "link.png", str(tmp_path / "secret.png")):
        shot = album.shot(Sample("x", (), path, "0" * 64), "a picture")
        assert shot.source is None
        assert shot.problem


def test_a_decompression_bomb_is_not_shown(tmp_path: Path) -> None:
    # 30,000 × 30,000 pixels in the header of a few bytes.
    header = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + (30000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    (tmp_path / "bomb.png").write_bytes(header + b"\x00" * 4)
    shot = Pictures(tmp_path).shot(Sample("x", (), "bomb.png", "0" * 64), "a picture")
    assert shot.source is None
    assert "no photograph: " in part("shot", shot)


def test_ten_retrieved_pictures_stand_in_a_row_with_the_right_ones_marked_in_words_too() -> None:
    row = [
        Shot(f"image {n}", f"score {n}", right=n == 2, source="data:image/jpeg;base64,x") for n in range(10)
    ]
    tree = parsed(part("thumbnails", row))
    assert [a.get("alt") for tag, a in tree.seen if tag == "img"] == [
        f"score {n}: image {n}" for n in range(10)
    ]
    assert [a.get("class") for tag, a in tree.seen if tag == "li"] == [None, None, "right", *[None] * 7]
    assert "✓ 3" in "".join(tree.text)


def test_every_failure_shows_what_was_found_first_with_at_least_one_row(tree: Tree) -> None:
    rows = [a for tag, a in tree.seen if a.get("class") == "row"]
    cards = [a for tag, a in tree.seen if tag == "article"]
    assert rows
    assert len(rows) < len(cards)  # what changed most has no row


texts = st.text(max_size=60) | st.sampled_from(HOSTILE)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_any_text_stays_text(text: str) -> None:
    html = part("shot", Shot(text, text, source=text))
    html.encode("utf-8")
    tree = parsed(html)
    assert [tag for tag, _ in tree.seen] == [
        "figure",
        "details",
        "summary",
        "img",
        "figcaption",
        "span",
        "br",
    ]
    assert set(next(a for tag, a in tree.seen if tag == "img")) == {"src", "alt"}
    held = "".join("\ufffd" if not _allowed(c) else c for c in text)
    assert "".join(tree.text) in {held + held, held + held + "\n"}


def _allowed(char: str) -> bool:
    code = ord(char)
    return not (
        code < 9 or code in {11, 12} or 14 <= code < 32 or 127 <= code < 160 or 0xD800 <= code < 0xE000
        or 0xFDD0 <= code < 0xFDF0 or code in {0xFFFE, 0xFFFF}
    )  # fmt: skip


@given(st.lists(st.tuples(texts, st.none() | st.floats() | st.integers(), texts), max_size=4), texts)
@settings(max_examples=50, deadline=None)
def test_any_table_is_well_formed(rows: list[tuple[str, float | int | None, str]], title: str) -> None:
    table = Table(title, (Column("a"), Column("b"), Column("<c>")), tuple(rows), (title,))
    tree = parsed(part("table", table))
    assert {tag for tag, _ in tree.seen} <= {
        "h3",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "p",
        "span",
    }


def series() -> Iterator[Series]:
    yield Series("one point", (Point(1.0, 0.5),))
    yield Series("flat at zero", tuple(Point(float(x), 0.0, low=0.0, high=0.0) for x in range(3)))
    yield Series("large", tuple(Point(float(x), 1e5 * x) for x in range(1, 12)))
    yield Series("<negative>", (Point(0.0, -3.0, seeds=(-4.0, -2.0)), Point(1.0, 2.0)))


@pytest.mark.parametrize("line", list(series()), ids=lambda s: s.label)
def test_every_line_lies_within_its_panel(line: Series) -> None:
    html = part("curves", drawn_curves({"op": [line]}, "x", "y"))
    numbers = [float(n) for n in re.findall(r'(?:cx|cy|x1|y1)="(-?[\d.]+)"', html)]
    assert all(0 <= n <= 300 for n in numbers)
    parsed(html)


def test_templates_and_styles_are_in_every_installation() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]
    for name in ("clipbench.reports.html", "clipbench.reports.figures"):
        folder = Path(str(resources.files(name)))
        beside = {path for path in folder.rglob("*.*") if path.suffix not in {".py", ".pyc"}}
        assert beside == {path for pattern in patterns[name] for path in folder.glob(pattern)}


def test_a_value_that_a_template_misses_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        part("shot", {})
