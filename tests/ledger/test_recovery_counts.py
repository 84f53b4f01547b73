"""How much a recovery would send, and how its window stands: counted as far as a person waits for it."""

import pytest
from builders import claimed, owe, subscribed

from ledger import recovery, settling, subscribers
from ledger.clock import SECOND
from ledger.deliveries import Attempt
from ledger.errors import NotFound, Refused
from ledger.ledger import Ledger
from ledger.overview import Count
from ledger.recovery import Window
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio

FAILED = Attempt(0, 5, 500, "status", "no")
DEAD = ("dead",)


async def missed(ledger: Ledger, count: int) -> str:
    """A subscriber of whose deliveries so many are dead, one of them each second."""
    row = await subscribed(ledger)
    for _ in range(count):
        await owe(ledger, row.id)
        (parcel,) = (await claimed(ledger)).rows
        assert await ledger.write(settling.settle, [Settlement(parcel.id, parcel.lease, FAILED, "dead")]) == [True]
        ledger.clock.advance(SECOND)  # type: ignore[attr-defined]
    return str(row.id)


async def test_it_counts_what_would_be_sent_and_no_further(ledger: Ledger) -> None:
    start = ledger.clock()
    one = await missed(ledger, 3)
    await missed(ledger, 1)
    ever = Window(0)
    assert await ledger.read(recovery.count_some, one, ever, DEAD) == Count(3)
    assert await ledger.read(recovery.count_some, one, ever, DEAD) == Count(
        await ledger.read(recovery.count_again, one, ever, DEAD)
    )
    assert await ledger.read(recovery.count_some, one, ever, DEAD, 3) == Count(3)
    assert await ledger.read(recovery.count_some, one, ever, DEAD, 2) == Count(2, True)
    assert await ledger.read(recovery.count_some, one, ever, ("skipped",)) == Count(0)
    assert await ledger.read(recovery.count_some, one, Window(start + SECOND, start + 2 * SECOND), DEAD) == Count(1)
    await ledger.write(subscribers.change, one, {"enabled": False})
    with pytest.raises(Refused):
        await ledger.read(recovery.count_some, one, ever, DEAD)
    with pytest.raises(NotFound):
        await ledger.read(recovery.count_some, "sub_none", ever, DEAD)


async def test_how_a_window_stands(ledger: Ledger) -> None:
    start = ledger.clock()
    one = await missed(ledger, 3)
    await missed(ledger, 1)
    assert await ledger.read(recovery.standing, one, Window(start)) == ({"dead": 3}, False)
    assert await ledger.read(recovery.standing, one, Window(start), 2) == ({"dead": 3}, True)
    assert await ledger.read(recovery.standing, one, Window(start + SECOND)) == ({"dead": 2}, False)
    assert await ledger.read(recovery.standing, one, Window(start, start + SECOND)) == ({"dead": 1}, False)
    assert await ledger.read(recovery.standing, "sub_none", Window(0)) == ({}, False)
