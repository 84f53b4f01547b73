"""Cancelling work at a chosen one of its suspensions, in either of the two ways that a task can meet it."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class Cut:
    """Awaits work and cancels it at its suspension number `at`, counted from 1.

    `late` cancels when what was waited for has come and the work is about to go on; otherwise it is cancelled as it
    begins to wait. `reached` tells whether it ever suspended so often.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], at: int, *, late: bool) -> None:
        self._work = work
        self._at = at
        self._late = late
        self.reached = False

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        suspensions = 0
        thrown: BaseException | None = None
        while True:
            try:
                waited = steps.send(None) if thrown is None else steps.throw(thrown)
            except StopIteration as end:
                return end.value
            thrown = None
            suspensions += 1
            here = suspensions == self._at
            self.reached |= here
            if here and not self._late:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()  # takes effect as soon as the task waits for what is yielded here
            try:
                yield waited
            except BaseException as error:
                thrown = error
            else:
                thrown = asyncio.CancelledError() if here and self._late else None


async def cut(work: Coroutine[Any, Any, Any], at: int, *, late: bool) -> bool:
    """Runs work in a task of its own that is cancelled there, and returns whether it came so far.

    Raises what the work raises, but for the cancellation.
    """
    cutting = Cut(work, at, late=late)

    async def run() -> None:
        await cutting

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
    return cutting.reached


async def quiet(before: set[asyncio.Task[Any]]) -> None:
    """Waits until nothing runs any more that was not running before."""
    async with asyncio.timeout(20):
        while others := asyncio.all_tasks() - before - {asyncio.current_task()}:  # type: ignore[arg-type]
            await asyncio.wait(others)
