"""Sessions on the pages: commands that were typed one after another, and what each printed.

A fenced block under the comment `<!-- session -->` holds lines that begin with `$ ` and their output. The sessions of
a page are one: they run in one empty folder, in order.

    python tests/docs_sessions.py           tell which pages say something else than the program; exit 1 if any
    python tests/docs_sessions.py --write   bring them up to date
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import cli

ROOT = Path(__file__).parent.parent
WIDTH = 110
PAGES = tuple(
    page for page in sorted((ROOT / "docs").glob("*.md")) if "<!-- session -->\n" in page.read_text("utf-8")
)
SESSION = re.compile(r"(?P<head>^<!-- session -->\n```\n)(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"\b[0-9a-f]{10}\b")
PLAIN = frozenset(("cp", "head", "ls", "mkdir"))
"""Programs of a shell that pages may type."""


def printed(line: str) -> str:
    """Run a line as a shell would, in this folder; return what stands below it. Only a last `> FILE` is understood."""
    words = shlex.split(line.replace("\\\n", " "), comments=True)
    out = words[words.index(">") + 1] if ">" in words else None
    words = words[: words.index(">")] if out else words
    if words[0] == "clipbench":
        done = cli(*words[1:], columns=WIDTH)
        if done.code:
            raise ValueError(f"{line} ended with {done.code}: {done.err}")
        text = done.out
    elif words[0] in PLAIN:
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    else:
        raise ValueError(f"a page may type clipbench and {', '.join(sorted(PLAIN))}, not {words[0]}")
    if out:
        Path(out).write_text(text, encoding="utf-8")
        return ""
    return (
        "".join(f"{each.rstrip()}\n" for each in text.splitlines()).strip("\n") + "\n" if text.strip() else ""
    )


def written(page: str) -> str:
    """Return a page with what its sessions print now."""
    old = os.environ.pop("CLIPBENCH_STORE", None)
    try:
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            return SESSION.sub(lambda match: f"{match['head']}{_session(match['text'])}```", page)
    finally:
        if old is not None:
            os.environ["CLIPBENCH_STORE"] = old


def _session(text: str) -> str:
    typed = re.findall(r"^\$ ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    return "\n".join(f"$ {line}\n{printed(line)}".rstrip("\n") for line in typed) + "\n"


def comparable(page: str) -> str:
    """Return a page without what differs between machines: keys, in which libraries' versions are."""
    return KEY.sub("0123456789", page)


def main(words: list[str]) -> int:
    """Compare, or with --write renew; return the exit code."""
    stale = 0
    for page in PAGES:
        now = page.read_text(encoding="utf-8")
        wanted = written(now)
        if comparable(wanted) == comparable(now):
            continue
        stale += 1
        if "--write" in words:
            page.write_text(wanted, encoding="utf-8")
        print(f"{page.relative_to(ROOT)}: {'renewed' if '--write' in words else 'out of date'}")  # noqa: T201
    return 1 if stale and "--write" not in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
