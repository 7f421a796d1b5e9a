"""The notebook of docs/, executed: what its cells give now, beside what it says they gave.

python tests/docs_notebook.py           tell whether it is out of date; exit 1 if it is
python tests/docs_notebook.py --write   bring it up to date
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"
KEPT = ("output_type", "name", "text", "data")
"""What is kept of an output: no counts, no metadata that differ from day to day."""

WIDE = re.compile(r"\b[0-9a-f]{10}\b|(?:(?<=run:)|(?<=dataset:))[0-9a-f]{40}\b")
"""Keys, in which the versions of libraries are."""


def executed(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook with what its cells give in an empty folder."""
    import nbformat
    from nbclient import NotebookClient

    os.environ.pop("CLIPBENCH_STORE", None)
    with tempfile.TemporaryDirectory() as folder:
        ran = nbformat.reads(json.dumps(notebook), as_version=4)
        NotebookClient(
            ran,
            timeout=300,
            kernel_name="python3",
            coalesce_streams=True,  # a slow machine sends one print in several pieces
            resources={"metadata": {"path": folder}},
        ).execute()
    cells = [_cell(old, new) for old, new in zip(notebook["cells"], ran["cells"], strict=True)]
    return {**notebook, "cells": cells}


def _cell(old: dict[str, Any], ran: Any) -> dict[str, Any]:
    if old["cell_type"] != "code":
        return old
    outputs = [
        {name: output[name] for name in KEPT if name in output}
        for output in json.loads(json.dumps(ran))["outputs"]
    ]
    # What libraries warn of on stderr is the machine's, not the notebook's.
    outputs = [output for output in outputs if output.get("name") != "stderr"]
    for output in outputs:
        if output["output_type"] != "stream":
            output["metadata"] = {}
        if output["output_type"] == "execute_result":
            output["execution_count"] = None
    return {**old, "outputs": outputs}


def comparable(notebook: dict[str, Any]) -> Any:
    """Return a notebook's outputs without keys and without the bytes of pictures."""
    text = json.dumps([cell.get("outputs") for cell in notebook["cells"]], ensure_ascii=False)
    return json.loads(WIDE.sub("0123456789", re.sub(r'("image/png": )"[^"]*"', r'\1"a picture"', text)))


def main(words: list[str]) -> int:
    """Compare, or with --write renew; return the exit code."""
    now = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    wanted = executed(now)
    if comparable(now) == comparable(wanted):
        return 0
    if "--write" in words:
        NOTEBOOK.write_text(json.dumps(wanted, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{NOTEBOOK.name}: {'renewed' if '--write' in words else 'out of date'}")  # noqa: T201
    return 0 if "--write" in words else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
