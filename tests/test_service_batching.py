"""Micro-batching without a window: who goes through together, who waits, who is refused."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from clipbench.search_service.batching import Batcher, BusyError, Work, largest_useful
from clipbench.search_service.query_vectors import QueryVector, QueryVectors
from clipbench.search_service.rates import Rates


class Gated:
    """Work that notes its batches and waits for a gate."""

    def __init__(self, largest: int = 32) -> None:
        self.gate = threading.Event()
        self.batches: list[list[Any]] = []
        self.work = Work(self.run, largest)

    def run(self, items: Sequence[Any]) -> list[Any]:
        assert self.gate.wait(60)
        self.batches.append(list(items))
        return [item * 2 for item in items]


async def until_begun(batcher: Batcher, waiting: int) -> None:
    """Wait until so many items wait, the rest being under way."""
    for _ in range(1000):
        if batcher.waiting == waiting:
            return
        await asyncio.sleep(0.002)
    pytest.fail(f"{batcher.waiting} wait, not {waiting}")


async def first_under_way(batcher: Batcher, kind: str, item: Any) -> asyncio.Task[Any]:
    task = asyncio.ensure_future(batcher.ask(kind, item))
    await asyncio.sleep(0)
    await until_begun(batcher, 0)
    return task


def test_what_queued_while_the_last_batch_ran_is_the_next_one() -> None:
    async def main() -> None:
        gated = Gated()
        batcher = Batcher({"text": gated.work})
        batcher.start()
        first = await first_under_way(batcher, "text", 0)
        rest = [asyncio.ensure_future(batcher.ask("text", n)) for n in range(1, 8)]
        await until_begun(batcher, 7)
        gated.gate.set()
        assert await asyncio.gather(first, *rest) == [0, 2, 4, 6, 8, 10, 12, 14]
        assert gated.batches == [[0], [1, 2, 3, 4, 5, 6, 7]]
        batcher.close(5)

    asyncio.run(main())


def test_a_batch_is_no_larger_than_is_useful_and_the_oldest_kind_goes_first() -> None:
    async def main() -> None:
        text, image = Gated(largest=2), Gated(largest=3)
        batcher = Batcher({"text": text.work, "image": image.work})
        batcher.start()
        first = await first_under_way(batcher, "text", 0)
        asked = [("image", 1), ("text", 2), ("text", 3), ("text", 4), ("image", 5)]
        rest = [asyncio.ensure_future(batcher.ask(kind, item)) for kind, item in asked]
        await until_begun(batcher, 5)
        image.gate.set()
        text.gate.set()
        await asyncio.gather(first, *rest)
        assert text.batches == [[0], [2, 3], [4]]
        assert image.batches == [[1, 5]]
        batcher.close(5)

    asyncio.run(main())


def test_who_leaves_while_waiting_is_never_worked_for() -> None:
    async def main() -> None:
        gated = Gated()
        batcher = Batcher({"text": gated.work})
        batcher.start()
        first = await first_under_way(batcher, "text", 0)
        leaving, staying = (asyncio.ensure_future(batcher.ask("text", n)) for n in (1, 2))
        await until_begun(batcher, 2)
        leaving.cancel()
        await until_begun(batcher, 1)
        gated.gate.set()
        assert await asyncio.gather(first, staying) == [0, 4]
        assert gated.batches == [[0], [2]]
        batcher.close(5)

    asyncio.run(main())


def test_beyond_the_limit_one_is_refused_with_the_time_to_come_back() -> None:
    async def main() -> None:
        gated = Gated()
        batcher = Batcher({"text": gated.work}, most_waiting=3)
        batcher.start()
        tasks = [await first_under_way(batcher, "text", 0)]
        tasks += [asyncio.ensure_future(batcher.ask("text", n)) for n in range(1, 4)]
        await until_begun(batcher, 3)
        with pytest.raises(BusyError) as caught:
            await batcher.ask("text", 9)
        assert caught.value.retry_after >= 1
        gated.gate.set()
        assert await asyncio.gather(*tasks) == [0, 2, 4, 6]
        assert await batcher.ask("text", 9) == 18
        batcher.close(5)

    asyncio.run(main())


def test_one_bad_item_fails_alone() -> None:
    def run(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        return [item * 2 for item in items]

    async def main() -> None:
        batcher = Batcher({"text": Work(run)})
        batcher.start()
        found = await asyncio.gather(*(batcher.ask("text", n) for n in range(6)), return_exceptions=True)
        assert [str(one) for one in found] == ["0", "2", "4", "three", "8", "10"]
        assert batcher.alive
        batcher.close(5)

    asyncio.run(main())


def test_what_waits_is_answered_when_it_closes_and_nobody_else_gets_in() -> None:
    async def main() -> None:
        gated = Gated()
        batcher = Batcher({"text": gated.work})
        batcher.start()
        tasks = [await first_under_way(batcher, "text", 0), asyncio.ensure_future(batcher.ask("text", 1))]
        await until_begun(batcher, 1)
        closing = asyncio.get_running_loop().run_in_executor(None, batcher.close)
        for _ in range(1000):
            if not batcher.alive:
                break
            await asyncio.sleep(0.002)
        with pytest.raises(BusyError):
            await batcher.ask("text", 5)
        gated.gate.set()
        await closing
        assert await asyncio.gather(*tasks) == [0, 2]

    asyncio.run(main())


def test_every_batch_is_told_and_counted() -> None:
    told: list[tuple[str, int]] = []

    async def main() -> None:
        batcher = Batcher({"text": Work(list)}, told=lambda kind, items, _: told.append((kind, items)))
        batcher.start()
        for n in range(3):
            await batcher.ask("text", n)
        figures = batcher.figures()["text"]
        assert (figures.batches, figures.items) == (3, 3)
        assert figures.mean_seconds > 0
        batcher.close(5)

    asyncio.run(main())
    assert told == [("text", 1)] * 3


@pytest.mark.parametrize(
    ("cost", "useful"),
    [
        (lambda n: 0.010 + 0.001 * n, 64),  # a call costs most: the larger the better
        (lambda n: 0.020 * n, 1),  # nothing is saved
        (lambda n: 0.010 * n if n < 4 else 0.012 * n, 1),  # photographs on a CPU: worse in batches
        (lambda n: 0.010 + 0.030 * n, 4),  # eight at a time would take a quarter of a second
    ],
)
def test_the_largest_useful_batch_is_where_an_item_gets_no_cheaper(
    cost: Any, useful: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipbench.search_service import batching

    monkeypatch.setattr(batching, "_timed", lambda _, size: cost(size))
    assert largest_useful(lambda _: None) == useful


def test_the_vectors_asked_for_last_are_kept() -> None:
    import numpy as np

    vectors = QueryVectors(most=2)
    made = {name: QueryVector(np.zeros(2, np.float32)) for name in "abc"}
    vectors.keep("model", "a", made["a"])
    vectors.keep("model", "b", made["b"])
    assert vectors.find("model", "a") is made["a"]
    vectors.keep("model", "c", made["c"])
    assert vectors.find("model", "b") is None
    assert vectors.find("model", "a") is made["a"]
    assert vectors.find("another model", "a") is None
    assert (len(vectors), vectors.hits, vectors.misses) == (2, 2, 2)


def test_a_bucket_holds_five_seconds_and_fills_at_its_rate() -> None:
    now = [0.0]
    rates = Rates(2.0, lambda: now[0])
    assert [rates.wait("a") for _ in range(11)] == [0] * 10 + [1]
    assert rates.wait("b") == 0
    now[0] = 0.5
    assert [rates.wait("a"), rates.wait("a")] == [0, 1]
    assert [Rates(0.0).wait("a") for _ in range(1000)] == [0] * 1000
    slow = Rates(0.1, lambda: now[0])
    assert [slow.wait("a"), slow.wait("a")] == [0, 10]
