"""Heads that differ in one number are found in the store: by their α, and by the share that is kept."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from adapt_toys import split
from cli_toys import environment, good

pytest.importorskip("starlette", reason="the page needs Starlette")
pytest.importorskip("httpx", reason="Starlette's test client needs httpx")

from starlette.testclient import TestClient

from clipbench.browse_page.application import application
from clipbench.browse_page.looking import Looking
from clipbench.home import Home
from clipbench.store.engine import open_store

TOKEN = "a-token-for-tests"  # noqa: S105, of a page that nobody else sees
TRAIN = ("adapt", "train", "train", "--val", "val", "--model", "toy", "--epochs", "1", "-q")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a base and heads at two α, one of them also kept by half; all evaluated."""
    root = tmp_path_factory.mktemp("curves")
    with environment(CLIPBENCH_STORE=str(root / "store")):
        for number, name in enumerate(("train", "val", "test")):
            (root / name).mkdir()
            split(root / name, name, number)
        for alpha in ("0.2", "0.6"):
            good(*TRAIN, "--alpha", alpha, "--name", f"head-{alpha}")
        good(*TRAIN, "--alpha", "0.6", "--seed", "1", "--name", "other-seed")
        [half] = good("adapt", "interpolate", "head-0.6", "--at", "0.5", "-q", "--json").json["rows"]
        for model in (
            "toy",
            *(f"adapter:{n}" for n in ("head-0.2", "head-0.6", half["adapter"])),
        ):
            good("evaluate", "test", "--model", model, "-q")
    return root / "store"


def rows_by(tables: list[dict], name: str) -> list[dict]:
    [found] = [table for table in tables if table["title"] == f"test: stored runs by {name}"]
    return found["rows"]


def shown(place: Path, run: str, metric: str) -> float:
    """What `runs show` says of captions that find images."""
    rows = good("runs", "show", run, "--json", store=place).json[0]["rows"]
    return next(row["value"] for row in rows if (row["direction"], row["metric"]) == ("t2i", metric))


def test_heads_are_listed_by_alpha_from_their_base_on(place: Path) -> None:
    rows = rows_by(good("adapt", "show", "head-0.2", "--json", store=place).json, "α")
    assert [row["value"] for row in rows] == [0, 0.2, 0.6]
    first = good("runs", "list", "--json", store=place).json["rows"][-1]["run"]
    assert first.removeprefix("run:").startswith(rows[0]["run"])
    for row in rows:
        assert row["t2i R@5"] == shown(place, row["run"], "hit@5")


def test_shares_of_a_head_are_listed_from_base_to_whole(place: Path) -> None:
    known = [row["adapter"] for row in good("adapt", "list", "--json", store=place).json["rows"]]
    [half] = [name for name in known if name.startswith("residual-")]
    for name in ("head-0.6", half):
        rows = rows_by(good("adapt", "show", name, "--json", store=place).json, "share")
        assert [row["value"] for row in rows] == [0, 0.5, 1]


def test_a_head_without_kin_has_no_curve(place: Path) -> None:
    tables = good("adapt", "show", "other-seed", "--json", store=place).json
    assert [table["title"] for table in tables] == ["adapter other-seed", "training"]


def test_the_page_draws_what_the_commands_list(place: Path) -> None:
    client = TestClient(application(Looking(open_store(Home(place)), ""), TOKEN), base_url="http://127.0.0.1")
    for address, words in (
        ("adapter?adapter=head-0.6", "test by α"),
        ("adapter?adapter=head-0.6", "test by share"),
    ):
        page = client.get(f"/{TOKEN}/{address}").text
        assert words in page
        assert "<svg" in page
