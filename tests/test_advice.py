"""Every advice in every message names a command and an option that exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

from clipbench.cli.app import app

ROOT = Path(__file__).parent.parent
FOLDERS = ("clipbench", "datasets", "store")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
COMMAND = re.compile(r"(?:^|[:;,(`] ?|\bor )clipbench((?: [a-z][a-z-]*)+)")
ELSEWHERE = frozenset(
    (
        "--nfc",
        "--output",
        "--porcelain",
        "--untracked-files",
        "--upgrade",
        "--force-reinstall",
        "--experiment-id",
    )
)
"""Options of other programs: convmv, clip_benchmark, git, pip, mlflow."""

NAMES = ("clipbench hints", "clipbench bundle")
"""What is called so in files; no command."""


@cache
def commands() -> dict[tuple[str, ...], frozenset[str]]:
    """Return every command by its words, with its options."""
    found: dict[tuple[str, ...], frozenset[str]] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        options = {
            name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
        }
        found[words] = frozenset(options | {"--help"})
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*words, name))
            if words == ("embed",) and name == "run":  # `clipbench embed DATASET` is short for it
                found[words] |= found[*words, name]

    walk(typer.main.get_command(app), ())
    return found


def words_of(node: ast.expr) -> str:
    """Return a string or f-string with {} where something is put in, empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(words_of(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield every string of a module that is no docstring, with its line."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in inner | told:
            text = words_of(node)
            if text:
                yield node.lineno, text


def faults(text: str) -> Iterator[str]:
    if text in NAMES or "\n{}" in text or "<!--" in text or "color-scheme" in text:  # a digest's name, a page
        return
    known = commands()
    everywhere = frozenset().union(*known.values()) | ELSEWHERE
    for option in OPTION.findall(text):
        if option not in everywhere:
            yield f"no command has {option}"
    for found in COMMAND.finditer(text):
        words = tuple(found[1].split())
        depth = next((n for n in range(len(words), 0, -1) if words[:n] in known), 0)
        if not depth:
            yield f"there is no command `clipbench {words[0]}`"
            continue
        command = re.split(r"[,;:]|\bor\b|\band\b", text[found.end() :], maxsplit=1)[0]
        for option in OPTION.findall(command):
            if option not in known[words[:depth]] | ELSEWHERE:
                yield f"`clipbench {' '.join(words[:depth])}` has no {option}"


def modules() -> list[Path]:
    """Return the modules that the command line reaches: what nobody can start, nobody is advised by."""
    files: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            if not any(parent.is_symlink() for parent in path.parents):
                parts = path.relative_to(ROOT).with_suffix("").parts
                parts = parts if folder == "clipbench" else ("clipbench", *parts)
                files[".".join(parts).removesuffix(".__init__")] = path
    reached: set[str] = set()
    waiting = [name for name in files if name.startswith("clipbench.cli.")]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in files:
            continue
        reached.add(name)
        for node in ast.walk(ast.parse(files[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
    return sorted(files[name] for name in reached)


def test_advice_names_what_exists() -> None:
    told = []
    for path in modules():
        for line, text in strings(ast.parse(path.read_text(encoding="utf-8"))):
            told += [f"{path.relative_to(ROOT)}:{line}: {fault} ({text[:80]!r})" for fault in faults(text)]
    assert not told, "\n".join(told)


def test_a_wrong_option_and_a_wrong_command_are_noticed() -> None:
    assert list(faults("clipbench store verify --deep")) == []
    assert list(faults("--quoting none")) == ["no command has --quoting"]
    assert list(faults("clipbench stor verify")) == ["there is no command `clipbench stor`"]
    assert list(faults("clipbench store verify --captions")) == ["`clipbench store verify` has no --captions"]
