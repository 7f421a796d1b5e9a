"""The notebook gives what it says it gave."""

import json

import pytest

pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

from docs_notebook import NOTEBOOK, comparable, executed


@pytest.mark.slow
def test_the_notebook_gives_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    now = executed(notebook)
    assert comparable(now) == comparable(notebook), (
        "python tests/docs_notebook.py --write brings it up to date"
    )


def test_its_figure_is_there_and_no_machine_is_named() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    outputs = [one for cell in json.loads(text)["cells"] for one in cell.get("outputs", [])]
    assert sum("image/png" in one.get("data", {}) for one in outputs) == 1
    assert all(one["output_type"] != "error" for one in outputs)
    assert len(text) < 200_000
