"""One damaged row hides no other."""

import pytest
from builders import claimed, execute, owe, subscribed
from sqlalchemy import text

from ledger import deliveries, settling, subscribers
from ledger.deliveries import Attempt
from ledger.ledger import Ledger
from ledger.salvage import Wreck
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio


async def test_subscribers_are_listed_around_a_damaged_one(ledger: Ledger) -> None:
    first, damaged, last = [(await subscribed(ledger)).id for _ in range(3)]
    assert [row.id for row in await ledger.read(subscribers.newest, 2)] == [last, damaged]
    await execute(ledger, text("UPDATE subscribers SET events = '[' WHERE id = :id").bindparams(id=damaged))
    found = await ledger.read(subscribers.newest, 9)
    assert [row.id for row in found] == [last, damaged, first]
    assert [isinstance(row, Wreck) for row in found] == [False, True, False]
    assert [row.id for row in await ledger.read(subscribers.newest, 9, damaged)] == [first]
    await ledger.write(subscribers.delete, first)
    assert [row.id for row in await ledger.read(subscribers.newest, 9)] == [last, damaged]


async def test_the_latest_attempts_are_shown_around_a_damaged_one(ledger: Ledger) -> None:
    row = await subscribed(ledger)
    [delivery] = await owe(ledger, row.id)
    for number in range(3):
        (parcel,) = (await claimed(ledger)).rows
        tried = Attempt(ledger.clock(), 5, 500, "status", f"try {number}", request_headers={"a": "b"})
        settlement = Settlement(delivery, parcel.lease, tried, "pending", ledger.clock())
        assert await ledger.write(settling.settle, [settlement]) == [True]
    assert [one.number for one in await ledger.read(deliveries.latest_attempts, delivery, 2)] == [3, 2]
    await execute(ledger, text("UPDATE attempts SET request_headers = '{' WHERE number = 2"))
    found = await ledger.read(deliveries.latest_attempts, delivery, 9)
    assert [isinstance(one, Wreck) or one.number for one in found] == [3, True, 1]


async def test_where_deliveries_go_is_known_of_deleted_ones_too(ledger: Ledger) -> None:
    one, other = await subscribed(ledger), await subscribed(ledger, url="https://other.example/")
    await ledger.write(subscribers.delete, one.id)
    found = await ledger.read(subscribers.named, [one.id, other.id, "sub_none"])
    assert {key: (row.url, row.deleted_at is None) for key, row in found.items()} == {
        one.id: ("https://subscriber.example/hook", False),
        other.id: ("https://other.example/", True),
    }
