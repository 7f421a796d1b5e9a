"""The encoder that docs/models.md shows is run as it stands there."""

import re
from pathlib import Path

import pytest
from cli_toys import added, good

from clipbench.encoders.backends import BACKENDS
from clipbench.study.embedding.model_words import USAGES

PAGE = (Path(__file__).parent.parent / "docs/models.md").read_text()
CODE = re.search(r"<!-- example: my_encoder.py -->\n```python\n(.*?)```", PAGE, re.S)


def test_the_encoder_of_the_page_is_short_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CODE is not None
    assert len([line for line in CODE[1].splitlines() if line.strip()]) <= 20
    added(tmp_path, images=3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_encoder.py").write_text(CODE[1])
    assert "my_encoder:load 1" in good("evaluate", "toys", "--model", "python:my_encoder:load", "-q").out
    swept = good(
        "robustness", "sweep", "toys", "--model", "python:my_encoder:load", "--perturb", "word-dropout", "-q"
    )
    assert "word-dropout" in swept.out
    assert good("report", "--compare", "latest:clean", "latest", "--json").out


@pytest.mark.parametrize("prefix", [prefix for prefix in (*BACKENDS, *USAGES) if prefix])
def test_every_prefix_of_a_model_is_told_on_the_page_and_in_the_help(prefix: str) -> None:
    assert f"`--model {prefix}" in PAGE
    assert prefix in good("evaluate", "--help").out.replace("\n", "")
