"""The runner: calls a loop when it is due or woken, survives it, and drains what it started."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from ledger.clock import SECOND, system_now
from ledger.errors import Unavailable
from postback.runner import Runner

pytestmark = pytest.mark.anyio

SOON, NEVER = 20, 3_600 * SECOND


class Loop:
    """Counts its passes and does what it is told: a pause until it is due, None, or an error."""

    def __init__(self, *answers: int | Exception | None) -> None:
        self.answers = list(answers)
        self.calls: list[int] = []
        self._called = asyncio.Condition()

    async def run_once(self, now: int) -> int | None:
        async with self._called:
            self.calls.append(now)
            self._called.notify_all()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else now + answer

    async def called(self, times: int) -> None:
        """Returns once it was called that often."""
        async with asyncio.timeout(5), self._called:
            await self._called.wait_for(lambda: len(self.calls) >= times)


async def quiet() -> None:
    """Lets everybody else go on until nothing is left to do at this moment."""
    for _ in range(20):
        await asyncio.sleep(0)


Make = Callable[..., Runner]


@pytest.fixture
async def make(anyio_backend: str) -> AsyncIterator[Make]:
    """Makes runners that stop when the test ends."""
    made: list[Runner] = []

    def runner(idle: int = NEVER) -> Runner:
        made.append(Runner("loop", system_now, idle=idle))
        return made[-1]

    yield runner
    for one in made:
        await one.stop(0)


async def test_it_runs_at_once_and_then_when_it_is_due(make: Make) -> None:
    loop = Loop(SOON, SOON, NEVER)
    make().start(loop.run_once)
    await loop.called(3)
    first, second, third = loop.calls
    assert second - first >= SOON - 1
    assert third - second >= SOON - 1
    await quiet()
    assert len(loop.calls) == 3


async def test_what_is_overdue_runs_without_a_pause(make: Make) -> None:
    loop = Loop(-SECOND, 0, NEVER)
    make().start(loop.run_once)
    await loop.called(3)


async def test_with_nothing_due_it_looks_again_after_a_while(make: Make) -> None:
    loop = Loop(None)
    make(idle=SOON).start(loop.run_once)
    await loop.called(3)
    assert loop.calls[2] - loop.calls[0] >= 2 * SOON - 2


async def test_it_looks_again_though_the_next_is_far_off(make: Make) -> None:
    loop = Loop(NEVER)
    make(idle=SOON).start(loop.run_once)
    await loop.called(3)


async def test_waking_ends_the_pause(make: Make) -> None:
    loop, runner = Loop(None), make()
    runner.start(loop.run_once)
    await loop.called(1)
    await quiet()
    runner.wake()
    await loop.called(2)
    await quiet()
    assert len(loop.calls) == 2


async def test_it_is_woken_when_something_is_due(make: Make) -> None:
    loop, runner = Loop(None), make()
    runner.start(loop.run_once)
    await loop.called(1)
    due = system_now() + SOON
    runner.wake(due)
    runner.wake(due + 5 * SECOND)
    await quiet()
    assert len(loop.calls) == 1
    await loop.called(2)
    assert loop.calls[1] >= due - 1


async def test_what_is_due_earlier_wakes_it_earlier(make: Make) -> None:
    loop, runner = Loop(None), make()
    runner.start(loop.run_once)
    await loop.called(1)
    runner.wake(system_now() + 60 * SECOND)
    for _ in range(2):  # one that has rung is no hindrance
        calls = len(loop.calls)
        runner.wake(system_now() + SOON)
        await loop.called(calls + 1)


async def test_an_alarm_that_is_late_still_rings(make: Make) -> None:
    loop, runner = Loop(None), make()
    runner.start(loop.run_once)
    await loop.called(1)
    runner.wake(system_now() + SOON)
    time.sleep(2 * SOON / SECOND)  # the event loop is kept busy
    runner.wake(system_now() + 60 * SECOND)
    await loop.called(2)


async def test_what_is_overdue_wakes_it_at_once(make: Make) -> None:
    loop, runner = Loop(None), make()
    runner.start(loop.run_once)
    await loop.called(1)
    runner.wake(system_now() - SECOND)
    await loop.called(2)


async def test_what_is_due_after_its_next_pass_needs_no_waking(make: Make) -> None:
    loop, runner = Loop(None), make(idle=2 * SOON)
    runner.start(loop.run_once)
    await loop.called(1)
    runner.wake(system_now() + 2 * SOON)
    assert runner._alarm is None


async def test_waking_during_a_pass_makes_another(make: Make) -> None:
    runner, calls, going = make(), [], asyncio.Event()

    async def run_once(now: int) -> int | None:
        calls.append(now)
        if len(calls) == 1:
            runner.wake()
        else:
            going.set()
        return None

    runner.start(run_once)
    async with asyncio.timeout(5):
        await going.wait()


async def test_many_wakes_are_one_pass(make: Make) -> None:
    loop, runner = Loop(None), make()
    runner.start(loop.run_once)
    await loop.called(1)
    for _ in range(10):
        runner.wake()
    await loop.called(2)
    await quiet()
    assert len(loop.calls) == 2


@pytest.mark.parametrize(
    ("error", "event"), [(RuntimeError("oops"), "loop_failed"), (Unavailable("disk full"), "database_unavailable")]
)
async def test_an_error_is_logged_and_does_not_end_the_loop(make: Make, error: Exception, event: str) -> None:
    loop, runner = Loop(error, NEVER), make()
    with capture_logs() as logs:
        runner.start(loop.run_once)
        await loop.called(1)
        await quiet()
        runner.wake()
        await loop.called(2)
    assert [(entry["event"], entry["loop"]) for entry in logs] == [(event, "loop")]


async def test_after_an_error_it_waits_a_moment(make: Make) -> None:
    loop, runner = Loop(RuntimeError("oops")), make()
    with capture_logs():
        runner.start(loop.run_once)
        await loop.called(1)
        await quiet()
    assert len(loop.calls) == 1


async def test_work_that_ends_wakes_the_loop(make: Make) -> None:
    loop, runner, ended = Loop(None), make(), asyncio.Event()

    async def work() -> None:
        await ended.wait()

    runner.start(loop.run_once)
    await loop.called(1)
    runner.spawn(work())
    await quiet()
    assert len(loop.calls) == 1
    ended.set()
    await loop.called(2)


async def test_work_that_fails_is_logged(make: Make) -> None:
    loop, runner = Loop(None), make()

    async def work() -> None:
        raise RuntimeError("oops")

    with capture_logs() as logs:
        runner.start(loop.run_once)
        runner.spawn(work())
        await loop.called(2)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("work_failed", "error")]
    assert isinstance(logs[0]["exc_info"], RuntimeError)


async def test_stopping_takes_no_more_and_waits_for_what_was_started(make: Make) -> None:
    loop, runner, ended = Loop(None), make(), []

    async def work() -> None:
        await asyncio.sleep(SOON / SECOND)
        ended.append("work")

    runner.start(loop.run_once)
    await loop.called(1)
    runner.spawn(work())
    await runner.stop(within=5)
    assert ended == ["work"]
    calls = len(loop.calls)
    runner.wake()
    await quiet()
    assert len(loop.calls) == calls


async def test_stopping_ends_what_is_late(make: Make) -> None:
    runner, loop, fate = make(), Loop(None), []

    async def late() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            fate.append("ended")
            raise

    async def in_time() -> None:
        fate.append("in time")

    runner.start(loop.run_once)
    await loop.called(1)
    runner.spawn(late())
    runner.spawn(in_time())
    with capture_logs() as logs:
        await runner.stop(within=SOON / SECOND)
    assert fate == ["in time", "ended"]
    assert logs == []


async def test_stopping_lets_a_pass_come_to_its_end(make: Make) -> None:
    runner, started, go_on, ended = make(), asyncio.Event(), asyncio.Event(), []

    async def run_once(now: int) -> int | None:
        started.set()
        await go_on.wait()
        ended.append(now)
        return now

    runner.start(run_once)
    await started.wait()
    stopping: Awaitable[None] = asyncio.create_task(runner.stop(within=1))
    await quiet()
    assert ended == []
    go_on.set()
    await stopping
    assert len(ended) == 1


async def test_a_runner_that_never_started_can_stop(make: Make) -> None:
    await make().stop(within=0)
