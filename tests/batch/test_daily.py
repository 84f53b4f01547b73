"""The daily cap: what would exceed it stays queued, says so, and goes out after midnight."""

import asyncio
from typing import Any

import pytest
from builders import LEASE, UNLIMITED, FakeClock, ended, queued, rows

from ledger import daily, jobs, submissions
from ledger.clock import DAY, HOUR
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.pace import Limit
from ledger.schema import history
from ledger.submissions import MAX_CLAIM, Claim
from ledger.submitted import Settlement
from tests.dispatcher.stage import Stage as Dispatcher
from tests.dispatcher.wire import says, task

pytestmark = pytest.mark.anyio

HELD = "held: it would exceed the daily cap of 4 images for dashscope; it waits for 00:00 UTC or a higher cap"


async def claim(ledger: Ledger, **caps: int) -> Claim:
    return await ledger.write(submissions.claim, UNLIMITED, LEASE, caps)


def ids(claim: Claim) -> list[str]:
    return [one.job.id for one in claim.jobs]


def midnight(clock: FakeClock) -> int:
    return (clock.now // DAY + 1) * DAY


async def wanting(ledger: Ledger, images: Any, **changes: Any) -> Job:
    return await queued(ledger, parameters={"n": images}, **changes)


async def test_what_would_exceed_it_waits_for_midnight_and_says_so_once(ledger: Ledger, clock: FakeClock) -> None:
    one, two, three, four = [await wanting(ledger, images) for images in (1, 2, 2, 1)]
    got = await claim(ledger, dashscope=4)
    assert ids(got) == [one.id, two.id, four.id]
    assert got.next_due == clock.now
    assert (await claim(ledger, dashscope=4)).next_due == clock.now + LEASE
    held = await ledger.read(jobs.get, three.id)
    assert (held.status, held.due_at, held.warnings) == ("queued", midnight(clock), [HELD])
    (entry,) = await rows(ledger, history)
    assert (entry.job_id, entry.type) == (three.id, "held")
    assert entry.summary == "held by the daily cap of 4 images until 2023-11-15T00:00:00.000Z"
    clock.now = midnight(clock) - 1
    assert ids(await claim(ledger, dashscope=4)) == []
    clock.advance(1)
    assert ids(await claim(ledger, dashscope=4)) == [three.id]
    assert (await ledger.read(jobs.get, three.id)).warnings == [HELD]


async def test_a_higher_cap_lets_them_go_at_the_next_start(ledger: Ledger) -> None:
    made = [await wanting(ledger, 4) for _ in range(2)]
    assert ids(await claim(ledger, dashscope=4)) == [made[0].id]
    assert ids(await claim(ledger, dashscope=8)) == []
    await ledger.write(daily.release)
    assert ids(await claim(ledger, dashscope=8)) == [made[1].id]


async def test_no_cap_at_the_next_start_lets_them_go_too(ledger: Ledger) -> None:
    job = await wanting(ledger, 2)
    assert ids(await claim(ledger, dashscope=1)) == []
    await ledger.write(daily.release)
    assert ids(await claim(ledger, dashscope=0)) == [job.id]


async def test_other_providers_go_on(ledger: Ledger) -> None:
    made = [await wanting(ledger, 3, provider=name) for name in ("dashscope", "dashscope", "acedata", "acedata")]
    got = await claim(ledger, dashscope=3)
    assert sorted(ids(got)) == sorted([made[0].id, made[2].id, made[3].id])


async def test_all_models_share_it(ledger: Ledger) -> None:
    for model in ("a", "b", "c"):
        await wanting(ledger, 2, model=model)
    assert len((await claim(ledger, dashscope=4)).jobs) == 2


async def test_what_did_not_start_or_was_canceled_does_not_count(ledger: Ledger, clock: FakeClock) -> None:
    job = await wanting(ledger, 4)
    assert ids(await claim(ledger, dashscope=4)) == [job.id]
    back = Settlement(job.id, 1, "put_back", due_at=clock.now + HOUR)
    assert await ended(ledger, back) == [True]
    other = await wanting(ledger, 4)
    assert ids(await claim(ledger, dashscope=4)) == [other.id]
    await ledger.write(jobs.cancel, job.id)
    third = await wanting(ledger, 1)
    assert ids(await claim(ledger, dashscope=5)) == [third.id]


async def test_many_are_held_in_turns_and_cost_nothing_afterwards(ledger: Ledger, clock: FakeClock) -> None:
    for _ in range(MAX_CLAIM + 5):
        await wanting(ledger, 2)
    passes = [await claim(ledger, dashscope=1) for _ in range(3)]
    assert [got.next_due for got in passes] == [clock.now, clock.now, midnight(clock)]
    assert all(got.jobs == () for got in passes)
    assert {row.type for row in await rows(ledger, history)} == {"held"}
    assert len(await rows(ledger, history)) == MAX_CLAIM + 5


async def test_two_processes_share_it(pair: tuple[Ledger, Ledger]) -> None:
    for number in range(20):
        await wanting(pair[0], 1, model=f"m-{number % 3}")
    limits = {"dashscope": Limit(1_000, in_flight=5)}
    claims = await asyncio.gather(
        *(ledger.write(submissions.claim, limits, LEASE, {"dashscope": 7}) for ledger in pair * 3)
    )
    assert sum(len(got.jobs) for got in claims) == 7


@pytest.mark.parametrize(
    ("parameters", "given", "images"),
    [
        ({}, {}, 1),
        ({"n": 4}, {}, 4),
        ({"count": 3}, {}, 3),
        ({"count": 3}, {"count": 2}, 2),
        ({"n": 0}, {}, 1),
        ({"n": True}, {}, 1),
        ({"n": "4", "count": -1}, {"prompt": 'say "n": 9'}, 1),
        ({"n": 2.0, "note": "\x00"}, {}, 1),
    ],
)
async def test_how_many_images_a_job_asks_for(
    ledger: Ledger, parameters: dict[str, Any], given: dict[str, Any], images: int
) -> None:
    assert daily.images(parameters, given) == images
    await queued(ledger, parameters=parameters, input={"prompt": "x"} | given)
    assert len((await claim(ledger)).jobs) == 1
    left = await ledger.write(daily.left, "dashscope", {"dashscope": 10})
    assert left == 10 - images


async def test_the_submitter_keeps_it_and_lets_go_when_it_starts_anew(dispatcher: Dispatcher) -> None:
    dispatcher.dashscope.submits = [task("PENDING")]
    dispatcher.acedata.submits = [says(200, {"task_id": "task-2"})]
    first, second = [await dispatcher.job(parameters={"n": 3}) for _ in range(2)]
    other = await dispatcher.job(provider="acedata")
    await dispatcher.submit(caps={"dashscope": 4})
    assert [(await dispatcher.now(job)).status for job in (first, second, other)] == ["pending", "queued", "pending"]
    assert await dispatcher.diary(second) == ["held"]
    await dispatcher.submit(caps={"dashscope": 6})
    assert len(dispatcher.dashscope.submitted) == 2
