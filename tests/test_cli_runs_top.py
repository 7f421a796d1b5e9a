"""`runs export --top`: every query's first items, made from the vectors or as a method stored them."""

from pathlib import Path

import pytest
from cli_toys import added, good, refused
from test_recording import home, inputs, rescored, store  # noqa: F401, fixtures

from clipbench.store.engine import Store
from clipbench.study.evaluation.recording import RunInputs


@pytest.fixture
def evaluated(tmp_path: Path) -> str:
    name = added(tmp_path, images=4)
    good("evaluate", name, "--model", "toy", "-q")
    return name


def rows(*words: str | Path) -> list[dict[str, str]]:
    return good("runs", "export", "latest", "--top", *words).rows


def test_the_first_items_agree_with_the_ledger_and_fall_in_score(evaluated: str) -> None:
    ledger = {(row["direction"], row["query"]): row for row in good("runs", "export", "latest").rows}
    listed = rows("3")
    assert {(row["direction"], row["query"]) for row in listed} == set(ledger)
    for key, of in ledger.items():
        own = [row for row in listed if (row["direction"], row["query"]) == key]
        assert [row["rank"] for row in own] == ["1", "2", "3"]
        assert (own[0]["item"], own[0]["right"]) == (of["top1"], of["top1 right"])
        scores = [float(row["score"]) for row in own]
        assert scores == sorted(scores, reverse=True)


def test_more_than_there_is_lists_the_whole_gallery(evaluated: str) -> None:
    assert len(rows("99", "--direction", "t2i")) == 8 * 4


def test_a_run_with_a_method_gives_what_it_stored(store: Store, inputs: RunInputs, home: Path) -> None:  # noqa: F811
    key = rescored(store, inputs)
    listed = good("runs", "export", key, "--top", "5", "--direction", "t2i", store=home).rows
    assert len(listed) == 2 * 16
    assert [row["score"] for row in listed[:2]] == ["0.5", "0.25"]
    told = refused("runs", "export", key, "--top", "5", "--direction", "i2t", store=home)
    assert "its first items were not stored" in told
