"""Transactions that overlap on PostgreSQL: whatever commits late is still read, and once."""

import asyncio
import random

import pytest

from ledger import stream
from ledger.ledger import Ledger
from ledger.moment import Moment

from .happenings import Held, Reader, happen, open_ears, told

pytestmark = pytest.mark.anyio

Pair = tuple[Ledger, Ledger]


async def test_an_older_transaction_that_commits_after_a_younger_one_is_not_skipped(pair: Pair) -> None:
    one, other = pair
    await open_ears(one)
    reader = await Reader.begin(other)
    held = Held(one)
    await held.written()
    younger = await told(other)
    assert await reader.new() == [], "what is younger waits: behind it nothing older could be found"
    older = await held.commit()
    assert await reader.new() == older + younger
    assert await reader.new() == []


async def test_a_younger_transaction_is_read_once_the_older_one_is_rolled_back(pair: Pair) -> None:
    one, other = pair
    await open_ears(one)
    reader = await Reader.begin(other)
    held = Held(one)
    await held.written()
    younger = await told(other)
    assert await reader.new() == []
    await held.roll_back()
    assert await reader.new() == younger


async def test_an_open_transaction_does_not_hide_what_was_committed_before_it(pair: Pair) -> None:
    one, other = pair
    await open_ears(one)
    reader = await Reader.begin(other)
    before = await told(other)
    held = Held(one)
    await held.written()
    assert await reader.new() == before
    late = await held.commit()
    assert await reader.new() == late


async def test_from_now_on_includes_what_is_under_way(pair: Pair) -> None:
    one, other = pair
    await open_ears(one)
    held = Held(one)
    await held.written()
    reader = await Reader.begin(other)
    assert await reader.new() == []
    assert await other.read(stream.head) == 0
    late = await held.commit()
    assert await reader.new() == late
    assert await other.read(stream.head) > 0


async def test_a_serial_belongs_to_the_whole_transaction_its_savepoints_included(pair: Pair) -> None:
    one, other = pair
    await open_ears(one)

    def in_parts(connection: object, moment: Moment) -> list[str]:
        first = happen(connection, moment)  # type: ignore[arg-type]
        with connection.begin_nested():  # type: ignore[attr-defined]
            return first + happen(connection, moment, 2)  # type: ignore[arg-type]

    reader = await Reader.begin(other)
    held = Held(one, in_parts)
    await held.written()
    younger = await told(other)
    assert await reader.new() == []
    assert await held.commit() + younger == await reader.new()


@pytest.mark.parametrize("seed", range(3))
async def test_many_that_overlap_are_all_read_once(pair: Pair, seed: int) -> None:
    """Up to eight transactions are open at once; they end in any order, a quarter of them rolled back."""
    chance = random.Random(seed)
    await open_ears(pair[0])
    readers = [await Reader.begin(ledger, limit=chance.randint(1, 5)) for ledger in pair]
    seen: list[list[str]] = [[], []]
    under_way: list[Held] = []
    committed: set[str] = set()
    for step in range(60):
        if len(under_way) < 8 and step < 50:
            under_way.append(Held(chance.choice(pair)))
            await under_way[-1].written()
        if under_way and (len(under_way) == 8 or step >= 50 or chance.random() < 0.5):
            held = under_way.pop(chance.randrange(len(under_way)))
            if chance.random() < 0.25:
                await held.roll_back()
            else:
                committed.update(await held.commit())
        for reader, found in zip(readers, seen, strict=True):
            found += await reader.new()
    for held in under_way:
        committed.update(await held.commit())
    for reader, found in zip(readers, seen, strict=True):
        found += await reader.new()
    assert len(committed) > 20
    for found in seen:
        assert len(found) == len(set(found))
        assert set(found) == committed
    assert seen[0] == seen[1]


async def test_writers_at_full_speed_and_a_reader_beside_them(ledger: Ledger) -> None:
    """On both databases, whatever the group commit and the pool make of it."""
    await open_ears(ledger)
    reader = await Reader.begin(ledger, limit=7)

    async def write_some() -> list[str]:
        return [one for _ in range(15) for one in await told(ledger)]

    writers = asyncio.gather(*(write_some() for _ in range(6)))
    found: list[str] = []
    while not writers.done():
        found += await reader.new()
    found += await reader.new()
    written = {one for some in await writers for one in some}
    assert len(found) == len(set(found)) == 90
    assert set(found) == written
