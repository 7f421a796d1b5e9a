"""What keeps a large store quick to look at: as many questions to the database for many runs as for few."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_toys import good, misused
from sqlalchemy import event
from store_toys import DROPOUT, new_store, tamper, toy_run

from clipbench.records import Perturbation
from clipbench.reports.runs import run_list
from clipbench.store import embeddings
from clipbench.store.engine import Store
from clipbench.store.maintenance import gc, verify_quickly
from clipbench.store.queries import RunFilter
from clipbench.store.runs import tag_run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "store")


def questions(store: Store, look: Callable[[], Any]) -> int:
    """How many statements a function asks the database."""
    asked: list[str] = []

    def note(*about: Any) -> None:
        asked.append(about[2])

    event.listen(store.engine, "before_cursor_execute", note)
    look()
    event.remove(store.engine, "before_cursor_execute", note)
    return len(asked)


@pytest.mark.parametrize(
    "look",
    [
        lambda store: run_list(store, RunFilter()),
        lambda store: run_list(store, RunFilter(), wide=True),
        verify_quickly,
        lambda store: gc(store, dry_run=True),
    ],
    ids=["report", "report --format csv", "verify --quick", "gc"],
)
def test_more_runs_are_no_more_questions(store: Store, look: Callable[[Store], Any]) -> None:
    toy_run(store)
    toy_run(store, perturbation=DROPOUT)
    few = questions(store, lambda: look(store))
    for seed in range(2, 8):
        toy_run(store, perturbation=Perturbation(DROPOUT.operation, "text", DROPOUT.level, seed))
    assert questions(store, lambda: look(store)) == few


def test_a_whole_store_is_all_there(store: Store) -> None:
    toy_run(store)
    toy_run(store, perturbation=DROPOUT)
    found = verify_quickly(store)
    assert (found.clean, found.problems, found.notes) == (True, (), ())
    counted = {"rows": 15, "datasets": 1, "encoders": 1, "vector files": 3, "embedding sets": 3, "runs": 2}
    assert dict(found.checked) == counted


def test_a_set_whose_order_lies_in_several_blocks_is_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "ORDER_BLOCK", 4)
    toy_run(store)
    assert verify_quickly(store).problems == ()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM ledger WHERE direction = 't2i'", "has ledgers of 3 queries, and counts 9"),
        ("DELETE FROM metric", "has no metrics"),
        ("UPDATE embedding_order SET items = x'00' WHERE embedding_set_id = 1", "does not name its"),
        ("UPDATE vector_shard SET path = '../x' WHERE id = 1", "names a file outside of the store"),
        ("DELETE FROM tag", "tag sound 1 was stored and is gone"),
        ("UPDATE encoder SET identity = replace(identity, 'wwww', 'vvvv')", "encoder .* describes another"),
    ],
)
def test_what_is_not_there_is_told(store: Store, statement: str, told: str) -> None:
    tag_run(store, toy_run(store, perturbation=DROPOUT).key, "sound")
    tamper(store, statement)
    problems = verify_quickly(store).problems
    assert any(re.search(told, problem) for problem in problems)
    assert len(problems) == 1


def test_a_vector_file_that_is_gone_or_cut_is_told(store: Store) -> None:
    toy_run(store)
    first, second = sorted(path for path in store.home.embeddings.rglob("*.h5"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:50])
    gone, cut = verify_quickly(store).problems
    assert str(first) in gone
    assert "it has 50 bytes" in cut


def test_quick_and_deep_contradict_one_another(own_home: Path) -> None:
    toy_run(new_store(own_home))
    assert "all of it is right" in good("store", "verify", "--quick").out
    assert "one of them" in misused("store", "verify", "--quick", "--deep")
