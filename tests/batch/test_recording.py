"""`jobs.create_all`: what two processes and repeated keys do to a batch."""

import asyncio
from typing import Any

import pytest
from builders import count, draft

from ledger import jobs
from ledger.jobs import KeysReused
from ledger.ledger import Ledger
from ledger.schema import jobs as table

pytestmark = pytest.mark.anyio


def keyed(key: str, digest: str = "d", **changes: Any) -> jobs.Draft:
    return draft(idempotency_key=key, idempotency_digest=digest, **changes)


async def test_nothing_is_nothing(ledger: Ledger) -> None:
    assert await ledger.write(jobs.create_all, []) == []


async def test_jobs_keep_the_order_of_their_drafts(ledger: Ledger) -> None:
    made = await ledger.write(jobs.create_all, [keyed("z"), draft(), keyed("a")])
    assert [job.idempotency_key for job in made] == ["z", None, "a"]
    assert [job.id for job in made] == sorted(job.id for job in made)
    assert [await ledger.read(jobs.get, job.id) for job in made] == made


async def test_reused_keys_are_told_by_position_and_nothing_is_recorded(ledger: Ledger) -> None:
    await ledger.write(jobs.create, keyed("a"))
    drafts = [draft(), keyed("a", "other"), keyed("b"), keyed("b", "other"), keyed("a")]
    with pytest.raises(KeysReused) as reused:
        await ledger.write(jobs.create_all, drafts)
    assert reused.value.positions == (1, 3)
    assert await count(ledger, table) == 1


async def test_two_processes_with_the_same_keys_in_another_order_make_each_job_once(
    pair: tuple[Ledger, Ledger],
) -> None:
    drafts = [keyed(f"k-{number}") for number in range(200)]
    for _ in range(3):
        one, other = await asyncio.gather(
            pair[0].write(jobs.create_all, drafts), pair[1].write(jobs.create_all, drafts[::-1])
        )
        assert one == other[::-1]
    assert await count(pair[0], table) == 200
