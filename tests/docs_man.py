"""The manual page, docs/clipbench.1: what clipbench is, every command in a line, its environment and files.

    python tests/docs_man.py           tell whether it is out of date; exit 1 if it is
    python tests/docs_man.py --write   bring it up to date

Source of the macros: man-pages(7), groff_man(7).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from docs_blocks import ROOT, command_list

PAGE = ROOT / "docs" / "clipbench.1"

HEAD = """.TH CLIPBENCH 1
.SH NAME
clipbench \\- retrieval, robustness and failure analysis of CLIP-style models
.SH SYNOPSIS
.B clipbench
.I command
[\\fIoptions\\fR] [\\fIarguments\\fR]
.br
.B clipbench
.I command
.B \\-\\-help
.SH DESCRIPTION
For a person with a model, a folder of photographs and their captions: how well does retrieval work in both directions,
how fast does it break when captions or photographs get worse, why does it fail, and is a difference real.
Everything is kept in one folder, the store. Results go to stdout, notes and progress to stderr.
Each command says with
.B \\-\\-help
what it takes.
.SH COMMANDS
"""

FOOT = """.SH ENVIRONMENT
.TP
.B CLIPBENCH_STORE
Folder of the store, where no
.B \\-\\-store
is given; else
.IR ./clipbench-store .
.TP
.B HF_HUB_OFFLINE
Set to 1, nothing is asked of the network when a model is loaded.
.TP
.B NO_COLOR
Print without colours.
.SH FILES
.TP
.I clipbench-store/clipbench.db
SQLite: datasets, encoders, runs, ledgers, metrics, tags.
.TP
.I clipbench-store/embeddings/
HDF5 files of vectors.
.TP
.I clipbench-store/artifacts/
What can be made again.
.SH EXIT STATUS
0 done; 1 something you can mend, told in one line with the next command to type; 2 wrong usage; 130 interrupted.
.SH EXAMPLES
.EX
clipbench demo
clipbench dataset add mine \\-\\-captions captions.csv \\-\\-images photos
clipbench evaluate mine \\-\\-model demo
clipbench report \\-\\-compare latest:clean latest:word-dropout=0.3
.EE
.SH SEE ALSO
The pages in
.IR docs/ ,
which
.B make docs
builds as a site.
"""


def man_page() -> str:
    """Return the page, every command of the program in it."""
    entries = []
    for line in command_list().splitlines():
        name, _, says = line.partition("  ")
        entries.append(f".TP\n.B {_roff(name)}\n{_roff(says.strip())}.\n")
    return HEAD + "".join(entries) + FOOT


def _roff(text: str) -> str:
    r"""Return text as roff prints it: a hyphen that is typed is \-, and no line begins with a request.

    >>> _roff("adapt train, --yes"), _roff(".x")
    ('adapt train, \\-\\-yes', '\\&.x')
    """
    text = text.replace("\\", "\\e").replace("--", r"\-\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


def main(words: list[str]) -> int:
    """Compare, or with --write renew; return the exit code."""
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == man_page():
        return 0
    if "--write" in words:
        PAGE.write_text(man_page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {'renewed' if '--write' in words else 'out of date'}")  # noqa: T201
    return 0 if "--write" in words else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
