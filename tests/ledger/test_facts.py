import asyncio

import pytest
from builders import rows

from ledger import facts
from ledger.errors import CannotOpen
from ledger.keys import SecretKeys
from ledger.ledger import Ledger
from ledger.schema import facts as table

pytestmark = pytest.mark.anyio

OLD, NEW, OTHER = "the first key of all", "a newer key of sixteen", "somebody else's long key"


async def check(ledger: Ledger, *keys: str) -> None:
    await ledger.write(facts.check_keys, SecretKeys(keys))


async def test_other_keys_are_refused_with_the_remedy(ledger: Ledger) -> None:
    await check(ledger, OLD)
    await check(ledger, OLD)
    with pytest.raises(CannotOpen, match=r"POSTBACK_SECRET_KEYS lacks .* Put that key back, oldest first") as refused:
        await check(ledger, OTHER)
    assert OTHER not in str(refused.value)
    await check(ledger, OLD)


async def test_a_new_key_is_added_at_the_end_and_then_needed(ledger: Ledger) -> None:
    await check(ledger, OLD)
    await check(ledger, OLD, NEW)
    await check(ledger, NEW)
    with pytest.raises(CannotOpen):
        await check(ledger, OLD)


async def test_no_key_is_written_down(ledger: Ledger) -> None:
    await check(ledger, OLD)
    assert OLD not in str(await rows(ledger, table))


async def test_processes_that_start_together_agree(pair: tuple[Ledger, Ledger]) -> None:
    await asyncio.gather(*(check(ledger, OLD) for ledger in pair * 3))
    outcomes = await asyncio.gather(*(check(ledger, NEW) for ledger in pair), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [CannotOpen, CannotOpen]


async def test_of_two_first_processes_with_different_keys_one_is_refused(pair: tuple[Ledger, Ledger]) -> None:
    outcomes = await asyncio.gather(check(pair[0], OLD), check(pair[1], NEW), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {type(None), CannotOpen}


async def test_a_database_that_can_be_written_says_so(ledger: Ledger) -> None:
    for _ in range(2):
        await ledger.write(facts.touch)
    assert len(await rows(ledger, table)) == 1
