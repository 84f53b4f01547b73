import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from builders import FakeClock
from sqlalchemy import Connection

from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.settler import FIRST_PAUSE, LONGEST_PAUSE, Settler, pause

pytestmark = pytest.mark.anyio

LEASE = 30_000


class Desk:
    """What settles, on a database that is away for the first `away` tries; time passes only while somebody sleeps."""

    __name__ = "desk"

    def __init__(self, ledger: Ledger, clock: FakeClock, away: int, jitter: float = 1.0) -> None:
        self.clock = clock
        self.until = clock.now + LEASE
        self.tried_at: list[int] = []
        self.held: list[int] = []
        self._away = away
        self.settler = Settler[str, bool](ledger, self, sleep=self._sleep, jitter=lambda: jitter)

    def __call__(self, connection: Connection, moment: Moment, items: Sequence[str]) -> list[bool]:
        self.tried_at.append(moment.now - self.until + LEASE)
        if len(self.tried_at) <= self._away:
            raise Unavailable("the database is away")
        return [item == "mine" for item in items]

    async def _sleep(self, seconds: float) -> None:
        self.held.append(self.settler.holding)
        self.clock.now += round(seconds * 1_000)


async def test_what_can_be_settled_is_settled_at_once(ledger: Ledger, clock: FakeClock) -> None:
    desk = Desk(ledger, clock, away=0)
    assert await desk.settler.settle("mine", desk.until) is True
    assert await desk.settler.settle("another's", desk.until) is False
    assert (desk.tried_at, desk.held) == ([0, 0], [])


async def test_it_is_held_until_the_database_is_back(ledger: Ledger, clock: FakeClock) -> None:
    desk = Desk(ledger, clock, away=3)
    assert await desk.settler.settle("mine", desk.until) is True
    assert desk.tried_at == [0, FIRST_PAUSE, 3 * FIRST_PAUSE, 7 * FIRST_PAUSE]
    assert (desk.held, desk.settler.holding) == ([1, 1, 1], 0)


async def test_it_is_given_up_in_the_end_and_tried_in_the_last_moment(ledger: Ledger, clock: FakeClock) -> None:
    desk = Desk(ledger, clock, away=1_000)
    with pytest.raises(Unavailable):
        await desk.settler.settle("mine", desk.until)
    assert desk.tried_at[-1] == LEASE
    assert desk.settler.holding == 0


async def test_an_outage_that_ends_with_the_lease_loses_nothing(ledger: Ledger, clock: FakeClock) -> None:
    tries = Desk(ledger, clock, away=1_000)
    with suppress(Unavailable):
        await tries.settler.settle("mine", tries.until)
    desk = Desk(ledger, clock, away=len(tries.tried_at) - 1)
    assert await desk.settler.settle("mine", desk.until) is True


async def test_what_no_waiting_would_mend_is_not_held(ledger: Ledger, clock: FakeClock) -> None:
    def breaks(connection: Connection, moment: Moment, items: Sequence[str]) -> list[bool]:
        raise ValueError("bad")

    async def sleep(seconds: float) -> None:
        raise AssertionError("it waits")

    with pytest.raises(ValueError, match="bad"):
        await Settler[str, bool](ledger, breaks, sleep=sleep).settle("mine", clock.now + LEASE)


async def test_holding_ends_when_it_is_cancelled(ledger: Ledger, clock: FakeClock) -> None:
    sleeping = asyncio.Event()

    async def sleep(seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    settler = Settler[str, bool](ledger, Desk(ledger, clock, away=1_000), sleep=sleep)
    settling = asyncio.create_task(settler.settle("mine", clock.now + LEASE))
    async with asyncio.timeout(20):
        await sleeping.wait()
        assert settler.holding == 1
        settling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await settling
    assert settler.holding == 0


def test_pauses_double_up_to_the_longest_and_are_spread() -> None:
    assert [pause(tries, 1.0) for tries in (1, 2, 3, 9, 10_000)] == [100, 200, 400, LONGEST_PAUSE, LONGEST_PAUSE]
    assert [pause(1, jitter) for jitter in (0.0, 0.5, 1.0)] == [50, 75, 100]
