import asyncio

import pytest

from ledger.batch import Batch
from ledger.company import MAX_SIZE
from ledger.ledger import Ledger
from ledger.turns import Turns


class Seconds:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_wait_is_as_many_turns_as_are_full_before_it() -> None:
    clock = Seconds()
    turns = Turns(10, clock)
    with turns.take():
        clock.now += 0.5
    assert [turns.wait(waiting) for waiting in (0, 9, 10, 19, 20, 45)] == [0, 0, 0.5, 0.5, 1, 2]


def test_a_turn_that_hangs_counts_for_as_long_as_it_does() -> None:
    clock = Seconds()
    turns = Turns(10, clock)
    with turns.take():
        clock.now += 0.1
    with turns.take():
        assert turns.wait(30) == pytest.approx(0.3)
        clock.now += 4
        assert turns.wait(30) == pytest.approx(12)
        assert turns.wait(9) == 0, "the next turn has room, however long it takes"


def test_a_turn_that_failed_took_its_time_too() -> None:
    clock = Seconds()
    turns = Turns(1, clock)

    def fail() -> None:
        with turns.take():
            clock.now += 3
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        fail()
    assert turns.wait(1) == 3


@pytest.mark.anyio
async def test_what_waits_for_a_batch_has_a_wait_and_then_none(ledger: Ledger) -> None:
    waits: list[float] = []
    batch = Batch(ledger, lambda connection, moment, items: waits.append(batch.wait()) or list(items))  # type: ignore[func-returns-value]
    await asyncio.gather(*(batch.add(number) for number in range(3 * MAX_SIZE)))
    assert [wait > 0 for wait in waits] == [True, True, False]
    assert batch.wait() == 0
