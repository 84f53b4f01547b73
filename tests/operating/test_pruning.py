"""Retention: what ended long ago goes with all that belongs to it, and nothing else does."""

import pytest
from builders import (
    FakeClock,
    arrival,
    calls_back,
    claimed,
    count,
    done,
    draft,
    failed,
    owe,
    pending,
    queued,
    rows,
    subscribed,
    succeeded,
    unconfirmed,
)

from ledger import audit, copies, deliveries, jobs, polls, retention, subscribers
from ledger.accept import accept
from ledger.clock import DAY, HOUR, SECOND
from ledger.ledger import Ledger
from ledger.one_offs import Target
from ledger.schema import artifacts, lanes, notifications
from ledger.schema import audit as audit_table
from ledger.schema import deliveries as delivery_table
from ledger.schema import jobs as job_table
from ledger.schema import subscribers as subscriber_table

from .pruning import KEEP, deliver, filled, prune

pytestmark = pytest.mark.anyio

NOTIFY = Target("https://tenant.example/hook", "sealed")


async def kept(ledger: Ledger) -> list[str]:
    return [row.id for row in await rows(ledger, job_table)]


async def test_a_finished_job_goes_with_all_that_belongs_to_it(ledger: Ledger, clock: FakeClock) -> None:
    standing = await subscribed(ledger, events=["*"])
    job = await done(ledger, notify=NOTIFY, idempotency_key="once", idempotency_digest="d")
    assert await calls_back(ledger, job, succeeded()) == ["duplicate"]
    assert await deliver(ledger) > 2
    assert await filled(ledger) >= {"jobs", "callbacks", "notifications", "deliveries", "attempts", "history"}
    clock.advance(KEEP)
    assert await prune(ledger, lanes=False) == {}
    clock.advance(1)
    assert await prune(ledger) == {"jobs": 1, "lanes": 1}
    assert await filled(ledger) == set()
    assert [row.id for row in await rows(ledger, subscriber_table)] == [standing.id]
    assert await calls_back(ledger, job, succeeded()) == [None]
    again = draft(idempotency_key="once", idempotency_digest="another")
    assert (await ledger.write(jobs.create, again)).id != job.id


async def test_its_images_are_given_up_for_the_archiver_to_delete(ledger: Ledger, clock: FakeClock) -> None:
    job = await pending(ledger)
    assert await ledger.write(accept, [arrival(job, succeeded())], archive=True) == ["accepted"]
    clock.advance(KEEP + 1)
    assert await prune(ledger) == {"jobs": 1}
    (artifact,) = await rows(ledger, artifacts)
    assert (artifact.job_id, artifact.status, artifact.source_url) == (job.id, "discarded", "")
    (claim,) = (await ledger.write(copies.claim, limit=5, lease=SECOND)).rows
    assert await ledger.write(copies.forget, claim.id, claim.lease)
    assert await filled(ledger) == set()


async def test_only_what_is_finished_goes(ledger: Ledger, clock: FakeClock) -> None:
    lost = await pending(ledger, task_id="gone")
    gone = polls.Asked(lost.id, lost.lease, None, lost="the provider no longer knows the job")
    await ledger.write(polls.settle, [gone])
    refused = await pending(ledger)
    assert await calls_back(ledger, refused, failed()) == ["accepted"]
    open_ones = [await queued(ledger), await pending(ledger, task_id="task-2"), await unconfirmed(ledger)]
    clock.advance(10 * KEEP)
    assert await prune(ledger) == {"jobs": 2}
    assert sorted(await kept(ledger)) == sorted(job.id for job in open_ones)


async def test_age_counts_from_the_end_not_from_the_beginning(ledger: Ledger, clock: FakeClock) -> None:
    job = await pending(ledger)
    clock.advance(KEEP)
    assert await calls_back(ledger, job, succeeded()) == ["accepted"]
    clock.advance(KEEP)
    assert await prune(ledger) == {}
    clock.advance(1)
    assert await prune(ledger) == {"jobs": 1}


async def test_a_job_that_still_owes_a_delivery_waits(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger)
    job = await done(ledger)
    clock.advance(KEEP + 1)
    assert await prune(ledger) == {}
    (claim,) = (await claimed(ledger)).rows
    assert await prune(ledger) == {}, "nor while it is being sent"
    clock.advance(HOUR)
    assert await deliver(ledger, "pending", due_at=clock() + HOUR) == 1
    assert await prune(ledger) == {}
    clock.advance(HOUR)
    assert await deliver(ledger, "dead") == 1
    await ledger.write(deliveries.redeliver, claim.id)
    assert await prune(ledger) == {}, "somebody asked for it again"
    assert await kept(ledger) == [job.id]
    assert await deliver(ledger) == 1
    assert await prune(ledger) == {"jobs": 1}


async def test_what_belongs_to_no_job_goes_unless_it_is_owed(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    await owe(ledger, subscriber.id, 2)
    assert await deliver(ledger) == 2
    await owe(ledger, subscriber.id)
    clock.advance(KEEP + 1)
    await owe(ledger, subscriber.id)
    assert await prune(ledger) == {"notices": 2}
    assert await count(ledger, notifications) == await count(ledger, delivery_table) == 2
    await deliver(ledger)
    assert await prune(ledger) == {"notices": 1}, "the other one is young"


async def test_a_deleted_subscriber_goes_after_the_deliveries_that_name_it(ledger: Ledger, clock: FakeClock) -> None:
    gone, other = await subscribed(ledger), await subscribed(ledger)
    await done(ledger)
    await deliver(ledger)
    clock.advance(10 * DAY)
    await ledger.write(subscribers.change, gone.id, {"description": "soon gone"})
    await ledger.write(subscribers.delete, gone.id)
    await ledger.write(subscribers.change, other.id, {"description": "stays"})
    clock.advance(KEEP)
    assert await prune(ledger) == {"jobs": 1}
    assert await ledger.read(audit.find, gone.id, 10), "who deleted it can be seen for as long"
    clock.advance(1)
    assert await prune(ledger) == {"subscribers": 1}
    assert [row.id for row in await rows(ledger, subscriber_table)] == [other.id]
    assert {row.subscriber_id for row in await rows(ledger, audit_table)} == {other.id}


async def test_a_host_is_forgotten_when_nothing_waits_for_it(ledger: Ledger, clock: FakeClock) -> None:
    standing = await subscribed(ledger)
    await done(ledger, notify=Target("https://quiet.example/", "sealed"))
    await deliver(ledger)
    await done(ledger, notify=Target("https://waiting.example/", "sealed"))
    clock.advance(KEEP + 1)
    await prune(ledger)
    assert {row.key for row in await rows(ledger, lanes)} == {standing.id, "https://waiting.example:443"}
    assert await deliver(ledger) == 2
    await done(ledger, notify=Target("https://quiet.example/again", "sealed"))
    assert await deliver(ledger) == 2, "it gets a lane anew"


async def test_a_batch_is_small_and_the_next_goes_on_behind_it(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    await subscribed(ledger)
    owing = await done(ledger)
    for _ in range(7):
        await done(ledger, subscribers=[])
    clock.advance(KEEP + 1)
    counts, after = [], ""
    while True:
        pruned = await ledger.write(retention.prune_jobs, clock() - KEEP, after)
        counts.append(pruned.count)
        if pruned.last is None:
            break
        after = pruned.last
    assert counts == [2, 3, 2], "one of the first three is still owed"
    assert await kept(ledger) == [owing.id]
