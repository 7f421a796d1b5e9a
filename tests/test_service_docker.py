"""The container's files: nothing is built here, but what they name exists and what they run, runs."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from docs_blocks import ROOT, commands

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from service_toys import collected, running

FOLDER = ROOT / "docs" / "docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
LINES = [
    line for line in re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines() if line and not line.startswith("#")
]


def instruction(word: str) -> list[str]:
    return [line.removeprefix(word).strip() for line in LINES if line.startswith(f"{word} ")]


def health_check() -> list[str]:
    return list(json.loads(instruction("HEALTHCHECK")[0].partition("CMD ")[2]))


def options_of_serve() -> set[str]:
    return {name for parameter in commands()["serve",].params for name in parameter.opts}


def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return dict(yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8")))


def test_it_copies_what_there_is_and_installs_extras_that_exist() -> None:
    copied = [words.split() for words in instruction("COPY") if not words.startswith("--from")]
    for *sources, _ in copied:
        assert [name for name in sources if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = re.findall(r'"\.\[(.+?)\]"', DOCKERFILE)[0].split(",")
    assert set(extras) <= set(project["project"]["optional-dependencies"])
    everything = {name for *sources, _ in copied for name in sources}
    assert {
        "pyproject.toml",
        "clipbench",
        *project["tool"]["setuptools"]["package-dir"].values(),
    } <= everything


def test_it_runs_as_nobody_and_starts_the_service() -> None:
    assert instruction("USER") == ["10001"]
    entry = json.loads(instruction("ENTRYPOINT")[0])
    assert entry[:2] == ["clipbench", "serve"]
    assert {word for word in entry if word.startswith("--")} <= options_of_serve()
    assert instruction("EXPOSE") == [entry[entry.index("--port") + 1]]


def test_the_service_beside_others_writes_nothing_and_may_do_nothing() -> None:
    search = compose()["services"]["search"]
    assert search["read_only"]
    assert search["cap_drop"] == ["ALL"]
    assert (
        FOLDER / search["build"]["context"] / search["build"]["dockerfile"]
    ).resolve() == FOLDER / "Dockerfile"
    assert {word for word in search["command"] if word.startswith("--")} <= options_of_serve()
    assert all(port.startswith("127.0.0.1:") for port in search["ports"])
    assert compose()["services"]["milvus"]["profiles"] == ["milvus"]


@pytest.mark.slow
def test_the_health_check_tells_a_service_that_answers_from_one_that_does_not(
    tmp_path: Path, own_home: Path
) -> None:
    collected(tmp_path, 4)
    python, flag, code = health_check()
    assert (python, flag) == ("python", "-c")
    with running(own_home, tmp_path, "--host", "0.0.0.0") as service:  # noqa: S104, as in a container
        asked = [sys.executable, flag, code.replace("8766", str(service.port))]
        assert subprocess.run(asked, check=False).returncode == 0
    assert subprocess.run(asked, check=False, stderr=subprocess.DEVNULL).returncode != 0
