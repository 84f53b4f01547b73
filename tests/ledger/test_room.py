"""When a loop is called again for the room that an end leaves: for half of it, or a little later for any."""

import asyncio

import pytest

from ledger.clock import SECOND
from ledger.room import PATIENCE, Room

pytestmark = pytest.mark.anyio


class Sleeps:
    """Sleeps that end when they are told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, asyncio.Event]] = []

    async def __call__(self, seconds: float) -> None:
        over = asyncio.Event()
        self.waiting.append((seconds, over))
        await over.wait()

    def end(self) -> None:
        for _, over in self.waiting:
            over.set()
        self.waiting.clear()


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def full(sleeps: Sleeps) -> Room:
    room = Room(8, sleep=sleeps)
    assert room.look() == 8
    room.take("a" * 8)
    return room


async def leave(room: Room, queue: str) -> bool:
    room.leave(queue)
    return await room.asks(queue)


async def leaves(room: Room, count: int) -> list["asyncio.Task[bool]"]:
    """So many ends, one after the other; those that have not answered yet wait."""
    tasks = []
    for _ in range(count):
        tasks.append(asyncio.create_task(leave(room, "a")))
        await asyncio.sleep(0)
    return tasks


async def test_there_is_room_for_so_many(full: Room) -> None:
    assert full.look() == 0
    full.leave("a")
    assert (full.look(), full.busy) == (1, 7)


async def test_half_of_it_is_worth_a_pass(full: Room, sleeps: Sleeps) -> None:
    first, *others, fourth = await leaves(full, 4)
    assert not first.done()
    assert [task.result() for task in others] == [False, False]
    assert fourth.result()
    full.look()
    sleeps.end()
    assert not await first, "that pass has come already"


async def test_any_is_worth_one_a_little_later(full: Room, sleeps: Sleeps) -> None:
    first, second = await leaves(full, 2)
    assert [seconds for seconds, _ in sleeps.waiting] == [PATIENCE / SECOND]
    sleeps.end()
    assert await first
    assert not await second


async def test_what_ends_during_a_pass_counts_for_the_next(full: Room, sleeps: Sleeps) -> None:
    await leaves(full, 4)
    assert full.look() == 4
    early, *_ = await leaves(full, 1)
    full.take("a" * 4)  # 7 are under way now, and one has ended since the look
    *_, last = await leaves(full, 3)
    assert last.result()
    sleeps.end()
    assert await early, "no pass has begun since"


async def test_no_queue_waits_for_another(sleeps: Sleeps) -> None:
    room = Room(8, sleep=sleeps)
    room.look()
    room.take("aaaaaab")
    assert await leave(room, "b")
    assert room.busy == 6
    assert not sleeps.waiting


async def test_the_last_to_end_never_waits(sleeps: Sleeps) -> None:
    room = Room(8, sleep=sleeps)
    room.look()
    room.take("a")
    assert await leave(room, "a")
    assert not sleeps.waiting
