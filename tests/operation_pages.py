"""The tables of operations and presets in docs/robustness.md, made from the registry.

python tests/operation_pages.py --write   bring the page up to date
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "robustness.md"
MARKED = re.compile(r"(?P<start><!-- operations -->\n)(?P<text>.*?)(?P<end><!-- /operations -->)", re.DOTALL)


def found() -> str:
    """What the page says."""
    match = MARKED.search(PAGE.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{PAGE} has no marked place for the operations")
    return match["text"]


def wanted() -> str:
    """What the registry says."""
    from clipbench.reports.operations import operation_page

    return f"\n{operation_page()}\n"


def write() -> None:
    text = PAGE.read_text(encoding="utf-8")
    made = wanted()
    PAGE.write_text(MARKED.sub(lambda match: match["start"] + made + match["end"], text), encoding="utf-8")


if __name__ == "__main__" and "--write" in sys.argv:
    write()
