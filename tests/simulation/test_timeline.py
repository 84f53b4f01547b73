"""Virtual time: several loops in one thread, of which one may stop or die."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from .timeline import Loop, Timeline, across

Work = Callable[[], Awaitable[None]]


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(random.Random(1))


def play(timeline: Timeline, until: int = 10_000_000) -> None:
    while timeline.step(until):
        pass


def test_time_moves_only_when_nobody_has_anything_to_do(timeline: Timeline) -> None:
    loop, times = Loop("a", timeline), []

    async def sleeps() -> None:
        for seconds in (3, 0, 0.5):
            await asyncio.sleep(seconds)
            times.append(timeline.now)

    loop.create_task(sleeps())
    play(timeline)
    assert times == [3_000, 3_000, 3_500]


def test_a_timeout_ends_what_takes_too_long(timeline: Timeline) -> None:
    loop, ended = Loop("a", timeline), []

    async def waits() -> None:
        try:
            async with asyncio.timeout(2):
                await asyncio.sleep(60)
        except TimeoutError:
            ended.append(timeline.now)

    loop.create_task(waits())
    play(timeline)
    assert ended == [2_000]


def test_a_stopped_loop_goes_on_where_it_was_while_time_went_by(timeline: Timeline) -> None:
    stopped, other, log = Loop("a", timeline), Loop("b", timeline), []

    async def ticks(loop: Loop) -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            log.append((loop.name, timeline.now))

    stopped.create_task(ticks(stopped))
    other.create_task(ticks(other))
    play(timeline, until=1_500)
    stopped.stopped = True
    play(timeline, until=60_000)
    stopped.stopped = False
    play(timeline)
    assert [now for name, now in log if name == "a"] == [1_000, 60_000, 61_000]
    assert [now for name, now in log if name == "b"] == [1_000, 2_000, 3_000]


def test_an_answer_waits_for_a_stopped_loop(timeline: Timeline) -> None:
    here, there, heard = Loop("here", timeline), Loop("there", timeline), []

    async def answers() -> str:
        await asyncio.sleep(1)
        return "yes"

    async def asks() -> None:
        heard.append((await across(here, there, answers), timeline.now))

    here.create_task(asks())
    play(timeline, until=500)
    here.stopped = True
    play(timeline, until=30_000)
    assert heard == []
    here.stopped = False
    play(timeline)
    assert heard == [("yes", 30_000)]


def test_whoever_asks_a_loop_that_dies_is_told_so(timeline: Timeline) -> None:
    here, there, heard = Loop("here", timeline), Loop("there", timeline), []

    async def never() -> None:
        await asyncio.sleep(60)
        heard.append("the dead work")

    async def asks() -> None:
        try:
            await across(here, there, never)
        except ConnectionResetError:
            heard.append("reset")

    here.create_task(asks())
    play(timeline, until=500)
    there.bury()
    play(timeline)
    assert heard == ["reset"]


def test_the_same_chance_gives_the_same_order() -> None:
    def order(seed: int) -> list[str]:
        timeline, log = Timeline(random.Random(seed)), []

        async def ticks(name: str) -> None:
            for _ in range(20):
                await asyncio.sleep(0)
                log.append(name)

        for name in ("a", "b"):
            Loop(name, timeline).create_task(ticks(name))
        play(timeline)
        return log

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1
