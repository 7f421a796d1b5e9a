"""The pages say what the program does: help texts are its own, commands and options exist, links lead somewhere."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import docs_blocks
from docs_blocks import ROOT, Block, blocks, commands, main, pages, same_typer

PAGES = pages()
BLOCKS = [block for page in PAGES for block in blocks(page)]
FENCED = re.compile(r"^(?P<fence>```+)\w*\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\((?P<target>[^)\s]+)\)")
SPAN = re.compile(r"`(clipbench [^`\n]+)`")


def name_of(value: Path | Block) -> str:
    if isinstance(value, Block):
        return f"{value.page.name}: {value.name}"
    return str(value.relative_to(ROOT))


@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_a_marked_block_is_what_the_program_prints(block: Block) -> None:
    if block.name != "commands" and not same_typer():
        pytest.skip(f"the pages hold the help texts of typer {docs_blocks.TYPER}")
    assert block.found == block.wanted, "python tests/docs_blocks.py --write brings it up to date"


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_on_some_page_under_its_full_name(words: tuple[str, ...]) -> None:
    text = " ".join(" ".join(page.read_text(encoding="utf-8") for page in PAGES).split())
    name = " ".join(("clipbench", *words))
    # `embed run` is what `embed DATASET` means, so it may be called that.
    names = {name, "clipbench embed DATASET"} if words == ("embed", "run") else {name}
    assert any(re.search(rf"{re.escape(each)}(?![\w-])", text) for each in names), f"no page mentions {name}"


def typed(page: Path) -> Iterator[str]:
    """Every command line that a page tells its readers to type."""
    text = docs_blocks.MARKED.sub("", page.read_text(encoding="utf-8"))
    for fenced in FENCED.finditer(text):
        for line in fenced["text"].replace("\\\n", " ").splitlines():
            plain = line.strip().removeprefix("$ ")
            if plain.startswith("clipbench "):
                yield re.split(r"\s+#|\s+\||\s{2,}", plain)[0]
    yield from (span[1] for span in SPAN.finditer(FENCED.sub("", text)))


TYPED = sorted({(page, line) for page in PAGES for line in typed(page)})


@pytest.mark.parametrize(
    ("page", "line"), TYPED, ids=lambda value: value if isinstance(value, str) else value.name
)
def test_a_command_line_on_a_page_is_one_the_program_knows(page: Path, line: str) -> None:
    words = shlex.split(line.replace("[", " ").replace("]", " "))[1:]
    plain = [word for word in words if not word.startswith("-")]
    groups = {known[:n] for known in commands() for n in range(len(known))}
    known: tuple[str, ...] = max(
        (name for name in [*commands(), *groups] if tuple(plain[: len(name)]) == name), key=len
    )
    if known == ("embed",):
        known = ("embed", "run")
    if known not in commands():
        assert len(plain) == len(known), f"there is no command in: {line}"
        return
    options = {name for parameter in commands()[known].params for name in parameter.opts} | {"--help", "-h"}
    unknown = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} - options
    assert unknown - {"--version"} == set(), f"clipbench {' '.join(known)} has no such option"


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for match in LINK.finditer(text):
        target, _, anchor = match["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        to = (page.parent / target) if target else page
        assert to.exists(), f"{target} does not exist"
        assert ROOT in to.resolve().parents, f"{target} lies outside the project"
        assert not anchor or anchor in anchors(to), f"{target} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_folder_of_somebodys_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert not re.search(r"(?<![\w.])/(root|work|Users|home/\w+|tmp/[\w-]+/)", text)


def test_blocks_are_renewed_in_place_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "README.md"
    page.write_text(
        "# Title\n\n<!-- help: runs tag -->\n\n```text\nold\n```\n\nmiddle\n\n"
        "<!-- commands -->\n```\n```\n\n```\n<!-- help: nonsense -->\n```\nend\n"
    )
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(docs_blocks, "ROOT", tmp_path)
    assert main([]) == 1
    assert "old" in page.read_text()
    assert main(["--write"]) == 0
    assert main([]) == 0
    text = page.read_text()
    assert text.startswith("# Title\n\n<!-- help: runs tag -->\n```text\n")
    assert "Hang tags on a run" in text
    assert "clipbench store gc" in text
    assert "\nmiddle\n" in text
    assert text.endswith("```\n<!-- help: nonsense -->\n```\nend\n")
    assert not re.search(r"[ \t]+$", text, re.MULTILINE), "nothing that an editor would strip"
    assert max(map(len, text.splitlines())) <= 160
