"""Makes notifications, and reads the stream as somebody who keeps his place."""

import asyncio
from collections.abc import Callable
from typing import Any

from builders import subscribed
from sqlalchemy import Connection, delete, select
from sqlalchemy.util import await_

from ledger import stream
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.schema import deliveries, notifications, subscribers
from ledger.stream import Cursor

ALL = ("*",)
WORDS = "灯塔 \u2028\x85"


def happen(connection: Connection, moment: Moment, count: int = 1, event: str = "postback.ping") -> list[str]:
    """Writes notifications in the caller's transaction, to whichever subscriber there is; their ids."""
    outbox = Outbox(connection, moment)
    subscriber_id = connection.execute(select(subscribers.c.id).limit(1)).scalar_one()
    sent = [outbox.send(event, {"number": number, "words": WORDS}, subscriber_id) for number in range(count)]
    outbox.write()
    about = select(deliveries.c.notification_id).where(deliveries.c.id.in_(sent))
    return list(connection.scalars(about.order_by(deliveries.c.id)))


async def told(ledger: Ledger, count: int = 1, event: str = "postback.ping") -> list[str]:
    """The ids of notifications that were written and committed together."""
    return await ledger.write(happen, count, event)


async def open_ears(ledger: Ledger) -> None:
    """Somebody is there to be told."""
    await subscribed(ledger, events=["*"])


async def erase(ledger: Ledger, *ids: str) -> None:
    await ledger.write(lambda c, _: c.execute(delete(notifications).where(notifications.c.id.in_(ids))).close())


class Reader:
    """Keeps its place between reads, as text."""

    def __init__(self, ledger: Ledger, place: str, events: tuple[str, ...] = ALL, limit: int = 100) -> None:
        self.ledger = ledger
        self.place = place
        self._events = events
        self._limit = limit

    @classmethod
    async def begin(cls, ledger: Ledger, **options: Any) -> "Reader":
        """From now on."""
        return cls(ledger, str(await ledger.read(stream.now)), **options)

    async def new(self) -> list[str]:
        """The ids of all that can be read since."""
        found: list[str] = []
        more = True
        while more:
            page = await self.ledger.read(stream.read, Cursor.read(self.place), self._events, self._limit)
            found += [row.id for row in page.rows]
            self.place, more = str(page.cursor), page.more
        return found


class Held:
    """A transaction that has written and stays open until it is told how to end."""

    def __init__(self, ledger: Ledger, work: Callable[..., Any] = happen) -> None:
        self._written, self._end = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._spoilt = False
        self._work = work
        self._task = asyncio.create_task(ledger.write(self._hold))

    async def written(self) -> None:
        async with asyncio.timeout(10):
            await self._written.wait()

    async def commit(self) -> Any:
        self._end.set()
        return await self._task

    async def roll_back(self) -> None:
        self._spoilt = True
        self._end.set()
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        assert isinstance(outcome, ZeroDivisionError)

    def _hold(self, connection: Connection, moment: Moment) -> Any:
        done = self._work(connection, moment)
        self._loop.call_soon_threadsafe(self._written.set)
        if connection.dialect.name == "sqlite":  # on the writer's thread
            asyncio.run_coroutine_threadsafe(self._end.wait(), self._loop).result(10)
        else:
            await_(self._end.wait())
        if self._spoilt:
            raise ZeroDivisionError
        return done
