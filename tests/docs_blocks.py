"""Parts of the pages that are made from the program: help texts and the list of commands.

A fenced block under the comment `<!-- help: dataset add -->` holds what `clipbench dataset add --help`
prints, one under `<!-- commands -->` every command with its first sentence.

    python tests/docs_blocks.py           tell which blocks are out of date; exit 1 if any
    python tests/docs_blocks.py --write   bring them up to date

Both look after the manual page as well (docs_man.py).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import cli

ROOT = Path(__file__).parent.parent
WIDTH = 100
TYPER = "0.29"
"""The version of typer whose help texts the pages hold; others draw the same words differently."""

MARKED = re.compile(
    r"^(?P<marker><!-- (?:help: (?P<help>[a-z ]+?)|(?P<commands>commands)) -->)\n+"
    r"(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def pages() -> list[Path]:
    """The README and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def same_typer() -> bool:
    """Whether the installed typer draws help texts as the pages hold them."""
    return version("typer").split(".")[:2] == TYPER.split(".")


@cache
def commands() -> Mapping[tuple[str, ...], Any]:
    """Every command that does something, by its words."""
    from typer.main import get_command

    from clipbench.cli.app import app

    found: dict[tuple[str, ...], Any] = {}

    def walk(words: tuple[str, ...], command: Any) -> None:
        if not hasattr(command, "commands"):
            found[words] = command
            return
        for name in command.list_commands(None):
            walk((*words, name), command.commands[name])

    walk((), get_command(app))
    return found


@cache
def help_text(words: str) -> str:
    """What `clipbench WORDS --help` prints at width 100, without colour and trailing spaces."""
    done = cli(*words.split(), "--help", columns=WIDTH)
    if done.code:
        raise ValueError(f"clipbench {words} --help ended with {done.code}: {done.err}")
    lines = [ANSI.sub("", line).rstrip() for line in done.out.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


@cache
def command_list() -> str:
    """Every command with the first sentence of its help, one a line."""
    lines = {
        " ".join(("clipbench", *words)): _first_sentence(command) for words, command in commands().items()
    }
    width = max(map(len, lines)) + 2
    return "".join(f"{name:<{width}}{sentence}\n" for name, sentence in lines.items())


def _first_sentence(command: Any) -> str:
    paragraph = " ".join((command.help or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) |; (?=exit)", paragraph)[0].rstrip(".").replace("`", "")


@dataclass(frozen=True)
class Block:
    """A marked block of a page: which, what stands there, and what should."""

    page: Path
    name: str
    found: str
    wanted: str


def blocks(page: Path) -> Iterator[Block]:
    """Every marked block of a page."""
    for match in MARKED.finditer(page.read_text(encoding="utf-8")):
        yield Block(page, match["help"] or "commands", match["text"], _wanted(match))


def written(page: Path) -> str:
    """The page with every marked block brought up to date."""

    def renew(match: re.Match[str]) -> str:
        return f"{match['marker']}\n{match['fence']}{match['language']}\n{_wanted(match)}{match['fence']}"

    return MARKED.sub(renew, page.read_text(encoding="utf-8"))


def _wanted(match: re.Match[str]) -> str:
    return help_text(match["help"]) if match["help"] else command_list()


def main(words: list[str]) -> int:
    """Compare, or with --write renew; return the exit code."""
    stale = [page for page in pages() if written(page) != page.read_text(encoding="utf-8")]
    for page in stale:
        if "--write" in words:
            page.write_text(written(page), encoding="utf-8")
        print(f"{page.relative_to(ROOT)}: {'renewed' if '--write' in words else 'out of date'}")  # noqa: T201
    return 1 if stale and "--write" not in words else 0


if __name__ == "__main__":
    from docs_man import main as manual

    sys.exit(max(main(sys.argv[1:]), manual(sys.argv[1:])))
