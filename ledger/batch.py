"""Set-based work from single requests: what arrives until a transaction begins goes into it together."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, Generic, Protocol, TypeVar, cast

from sqlalchemy import Connection

from ledger.company import MAX_SIZE, WORTH, Company
from ledger.errors import Overloaded, Unavailable
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.turns import Turns

I = TypeVar("I")  # noqa: E741 - input, as O is output
O = TypeVar("O")  # noqa: E741
A = TypeVar("A", contravariant=True)

MAX_WAITING = 8_192

STEP = 0.01
"""After how many seconds those that wait look again whether the others have come."""


class Waiting(Protocol[A]):
    """Who waits for an answer: a future, or whoever can do without one. Must raise nothing."""

    def done(self) -> bool:
        """Whether it does not wait any more."""

    def set_result(self, answer: A) -> None:
        """The answer, after its commit."""

    def set_exception(self, error: Exception) -> None:
        """Nothing was kept."""


class Batch(Generic[I, O]):
    """Feeds one query function that takes many items and answers each, in their order.

    `work` gets items in the order they came, and what is `given` for so many. If it raises for several, each is tried
    alone: one bad item never fails its neighbours. If it can be done `apart`, in another process, it is a function of a
    module, all that it takes and returns can be pickled, and it may be done again, where an answer is lost on the way.

    `coming` counts the items that are to come soon or wait already: where nothing is lost by that, the first of them
    waits for the others, for as many looks at them as it has `patience`. `after` is told all answers of a commit, also
    those that nobody waits for any more.
    """

    def __init__(
        self,
        ledger: Ledger,
        work: Callable[Concatenate[Connection, Moment, Sequence[I], ...], Sequence[O]],
        *,
        given: Callable[[int], tuple[Any, ...]] = lambda count: (),
        apart: bool = False,
        coming: Callable[[], int] = lambda: 0,
        patience: int = 5,
        after: Callable[[Sequence[O]], None] = lambda answers: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._work = work
        self._given = given
        self._apart = apart
        self._coming = coming
        self._patience = patience
        self._after = after
        self._sleep = sleep
        # The event loop appends, and whoever runs the work takes from the other end: it may be another thread.
        self._waiting: deque[tuple[I, Waiting[O]]] = deque()
        self._turns = Turns(MAX_SIZE)
        self._flushes: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._away = 0
        self._company = Company()
        self._gathered: asyncio.Future[None] | None = None

    async def add(self, item: I) -> O:
        """Returns the item's answer after its commit. Raises what the work raises, `Unavailable`, `Overloaded`."""
        answer: asyncio.Future[O] = asyncio.get_running_loop().create_future()
        self.put(item, answer)
        return await answer

    def put(self, item: I, answer: Waiting[O]) -> None:
        """As `add`, for who is told. Raises `Overloaded`."""
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded("too many writes are waiting")
        self._waiting.append((item, answer))
        if self._gathered is not None and self._company.complete(len(self._waiting)):
            _release(self._gathered)
        self._begin_flush()

    def wait(self) -> float:
        """About how many seconds an item would wait for its turn if it came now; for ever where none is taken."""
        if len(self._waiting) >= MAX_WAITING:
            return math.inf
        return self._turns.wait(len(self._waiting))

    def _begin_flush(self) -> None:
        if not self._flushes or (len(self._flushes) == self._under_way and self._worth_another()):
            flush = asyncio.create_task(self._run(), name=f"batch-{self._work.__name__}")
            self._flushes.add(flush)

    def _worth_another(self) -> bool:
        return self._company.worth_another(len(self._waiting), self._under_way, self._at_once())

    def _at_once(self) -> int:
        return self._ledger.database.at_once if self._apart else 1

    async def _run(self) -> None:
        try:
            while self._waiting and (not self._under_way or self._worth_another()):
                if not self._under_way:
                    await self._gather()
                await self._flush()
        finally:
            self._flushes.discard(cast(asyncio.Task[None], asyncio.current_task()))

    async def _flush(self) -> None:
        self._under_way += 1
        try:
            with self._turns.take():
                await self._write()
        finally:
            self._under_way -= 1

    async def _gather(self) -> None:
        """Lets those that were answered together come again together: the first of them would travel alone while the
        others wait for it."""
        loop = asyncio.get_running_loop()
        until = self._company.expected_until(len(self._waiting), loop.time())
        if until is not None:
            self._gathered = loop.create_future()
            timer = loop.call_at(until, _release, self._gathered)
            await self._gathered
            timer.cancel()
            self._gathered = None
        for _ in range(self._patience):
            if self._coming() <= len(self._waiting):
                break
            await self._sleep(STEP)

    async def _write(self) -> None:
        if not self._waiting:
            return  # another flush has taken them, and what is given must not be spent on nothing
        taken: list[tuple[I, Waiting[O]]] = []
        try:
            if self._apart and (len(self._waiting) >= WORTH or self._at_once() > 1):
                answers = await self._write_apart(taken)
            else:
                answers = await self._ledger.write(self._begin, taken)
        except Exception as error:
            begun = bool(taken)
            if not begun:
                self._take(taken)
            if not begun or len(taken) == 1 or isinstance(error, Unavailable):
                _fail(taken, error)
                return
            for one in taken:
                await self._write_alone(one)
        else:
            self._tell(taken, answers)

    async def _write_apart(self, taken: list[tuple[I, Waiting[O]]]) -> Sequence[O]:
        self._take(taken, self._company.most(len(self._waiting), self._away, self._at_once()))
        self._away += len(taken)
        self._begin_flush()
        try:
            items = [item for item, _ in taken]
            return await self._ledger.write_apart(len(items), self._work, items, *self._given(len(items)))
        finally:
            self._away -= len(taken)

    async def _write_alone(self, one: tuple[I, Waiting[O]]) -> None:
        try:
            answers = await self._ledger.write(self._work, [one[0]], *self._given(1))
        except Exception as error:
            _fail([one], error)
        else:
            self._tell([one], answers)

    def _begin(self, connection: Connection, moment: Moment, taken: list[tuple[I, Waiting[O]]]) -> Sequence[O]:
        """Runs the work on all that wait when its transaction begins. That may be the second time: for SQLite to find
        out who failed, for PostgreSQL after a conflict."""
        self._take(taken)
        if not taken:
            return ()
        return self._work(connection, moment, [item for item, _ in taken], *self._given(len(taken)))

    def _take(self, taken: list[tuple[I, Waiting[O]]], most: int = MAX_SIZE) -> None:
        while self._waiting and len(taken) < most:
            taken.append(self._waiting.popleft())

    def _tell(self, taken: Sequence[tuple[I, Waiting[O]]], answers: Sequence[O]) -> None:
        if not taken:
            return
        self._ledger.observer.batched(len(taken))
        try:
            self._after(answers)
        finally:
            for (_, waiting), answer in zip(taken, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)
            here = len(taken) + len(self._waiting) + self._away
            self._company.answered(here, self._at_once(), asyncio.get_running_loop().time())


def _fail(taken: Sequence[tuple[I, Waiting[O]]], error: Exception) -> None:
    for _, waiting in taken:
        if not waiting.done():
            waiting.set_exception(error)


def _release(gathered: asyncio.Future[None]) -> None:
    if not gathered.done():
        gathered.set_result(None)
