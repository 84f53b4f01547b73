import asyncio
import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from ledger.batch import MAX_WAITING, STEP, Batch
from ledger.company import MAX_SIZE
from ledger.errors import Overloaded, Unavailable
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment

pytestmark = pytest.mark.anyio


class Work:
    """Doubles numbers, remembers each group it got, and fails for a group that holds a bad one."""

    __name__ = "double"

    def __init__(self, bad: int | None = None, error: Exception | None = None) -> None:
        self.groups: list[list[int]] = []
        self._bad = bad
        self._error = error or ValueError("bad")

    def __call__(self, connection: Connection, moment: Moment, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        if self._bad in items:
            raise self._error
        return [2 * item for item in items]


async def test_what_arrives_during_a_commit_goes_together_in_order(ledger: Ledger) -> None:
    work = Work()
    batch = Batch(ledger, work)
    first = asyncio.create_task(batch.add(0))
    while not work.groups:
        await asyncio.sleep(0)
    rest = [asyncio.create_task(batch.add(number)) for number in range(1, 50)]
    assert await asyncio.gather(first, *rest) == [2 * number for number in range(50)]
    assert work.groups == [[0], list(range(1, 50))]
    assert await batch.add(7) == 14


async def test_what_arrives_until_the_transaction_begins_goes_along(migrated: None, sqlite_url: str) -> None:
    """On SQLite a transaction waits for the one before it."""
    ledger = Ledger(await open_database(sqlite_url))
    work, busy, release = Work(), asyncio.Event(), threading.Event()
    batch, loop = Batch(ledger, work), asyncio.get_running_loop()

    def occupy(connection: Connection, moment: Moment) -> None:
        loop.call_soon_threadsafe(busy.set)
        release.wait(20)

    occupying = asyncio.create_task(ledger.write(occupy))
    await busy.wait()
    adding = [asyncio.create_task(batch.add(0))]
    for number in (1, 2):
        for _ in range(10):
            await asyncio.sleep(0)
        adding.append(asyncio.create_task(batch.add(number)))
    await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(*adding) == [0, 2, 4]
    assert work.groups == [[0, 1, 2]]
    await occupying
    await ledger.close()


async def test_those_that_were_answered_together_are_waited_for(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.company.AGAIN", 20)
    work = Work()
    batch = Batch(ledger, work)
    await asyncio.gather(*(batch.add(number) for number in range(3)))
    adding = []
    for number in range(3):
        adding.append(asyncio.create_task(batch.add(number)))
        for _ in range(10):
            await asyncio.sleep(0)
    await asyncio.gather(*adding)
    assert work.groups == [[0, 1, 2], [0, 1, 2]]


async def test_those_that_do_not_come_again_are_not_waited_for_long(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.company.AGAIN", 0.001)
    work = Work()
    batch = Batch(ledger, work)
    await asyncio.gather(*(batch.add(number) for number in range(3)))
    assert await batch.add(7) == 14
    assert work.groups == [[0, 1, 2], [7]]


async def test_a_flush_that_finds_nothing_writes_nothing(ledger: Ledger) -> None:
    """Two may have waited for the same items; what is given is spent, as an order of deliveries is."""
    given: list[int] = []
    work = Work()
    batch = Batch(ledger, work, given=lambda count: given.append(count) or (), apart=True)  # type: ignore[func-returns-value]
    await batch._flush()
    assert (given, work.groups) == ([], [])


async def test_a_group_is_bounded(ledger: Ledger) -> None:
    work = Work()
    batch = Batch(ledger, work)
    await asyncio.gather(*(batch.add(number) for number in range(2 * MAX_SIZE + 1)))
    assert [len(group) for group in work.groups] == [MAX_SIZE, MAX_SIZE, 1]


async def test_a_bad_item_fails_alone(ledger: Ledger) -> None:
    work = Work(bad=2)
    batch = Batch(ledger, work)
    outcomes = await asyncio.gather(*(batch.add(number) for number in range(4)), return_exceptions=True)
    assert [outcomes[n] for n in (0, 1, 3)] == [0, 2, 6]
    assert isinstance(outcomes[2], ValueError)
    assert work.groups == [[0, 1, 2, 3], [0], [1], [2], [3]]


async def test_an_unavailable_database_fails_all_and_the_next_are_tried(ledger: Ledger) -> None:
    work = Work(bad=2, error=Unavailable("away"))
    batch = Batch(ledger, work)
    outcomes = await asyncio.gather(*(batch.add(number) for number in range(4)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 4
    assert work.groups == [[0, 1, 2, 3]]
    assert await batch.add(5) == 10


async def test_what_does_not_even_begin_fails_all_that_wait_and_is_tried_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    async def fails(*given: object) -> object:
        tried.append(given)
        raise RuntimeError("no connection, for a reason nobody foresaw")

    work = Work()
    batch = Batch(ledger, work)
    monkeypatch.setattr(ledger, "write", fails)
    outcomes = await asyncio.gather(*(batch.add(number) for number in range(4)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 4
    assert len(tried) == 1
    monkeypatch.undo()
    assert await batch.add(5) == 10


async def test_who_is_told_afterwards_and_fails_keeps_no_answer_from_anybody(ledger: Ledger) -> None:
    def fails(answers: Sequence[int]) -> None:
        raise RuntimeError("a bug")

    batch = Batch(ledger, Work(), after=fails)
    for numbers in ([0, 1, 2], [5]):
        adding = asyncio.gather(*map(batch.add, numbers))
        await asyncio.sleep(0)
        (flush,) = batch._flushes
        assert await adding == [2 * number for number in numbers]
        assert isinstance(flush.exception(), RuntimeError)


async def test_one_who_no_longer_waits_does_not_disturb_the_others(ledger: Ledger) -> None:
    work = Work(bad=3)
    batch = Batch(ledger, work)
    tasks = [asyncio.create_task(batch.add(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["int", "CancelledError", "int", "ValueError"]


async def test_more_than_can_wait_are_refused(ledger: Ledger) -> None:
    batch = Batch(ledger, Work())
    tasks = [asyncio.create_task(batch.add(number)) for number in range(MAX_WAITING + 1)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == [outcomes[-1]]
    assert isinstance(outcomes[-1], Overloaded)


async def test_the_first_waits_for_those_that_are_coming(ledger: Ledger) -> None:
    work, slept, added = Work(), [], []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        added.append(asyncio.create_task(batch.add(len(slept))))
        await asyncio.sleep(0)

    batch = Batch(ledger, work, coming=lambda: 3, sleep=sleep)
    assert await batch.add(0) == 0
    await asyncio.gather(*added)
    assert work.groups == [[0, 1, 2]]
    assert slept == [STEP, STEP]


async def test_it_does_not_wait_for_ever(ledger: Ledger) -> None:
    work, slept = Work(), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    batch = Batch(ledger, work, coming=lambda: 3, patience=7, sleep=sleep)
    assert await batch.add(1) == 2
    assert slept == [STEP] * 7
