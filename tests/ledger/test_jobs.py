import asyncio
from typing import Any

import pytest
from builders import (
    NOW,
    FakeClock,
    calls_back,
    claimed,
    count,
    done,
    draft,
    pending,
    queued,
    rows,
    submitting,
    subscribed,
    succeeded,
    unconfirmed,
)  # fmt: skip

from ledger import deliveries, jobs, polls, settling
from ledger.deliveries import Attempt
from ledger.erase import erase
from ledger.errors import KeyReused, NotFound, Refused
from ledger.job import Job
from ledger.jobs import Filter
from ledger.ledger import Ledger
from ledger.pages import BadCursor
from ledger.schema import attempts, notifications, schema, subscribers
from ledger.settling import Settlement

pytestmark = pytest.mark.anyio


async def find(ledger: Ledger, *, cursor: str | None = None, limit: int = 50, **wanted: Any) -> list[str]:
    return [job.id for job in (await ledger.read(jobs.find, Filter(**wanted), cursor=cursor, limit=limit)).data]


async def test_a_new_job_is_queued_due_at_once_and_kept_as_it_came(ledger: Ledger) -> None:
    made = await ledger.write(jobs.create, draft(warnings=("n is unusual",)))
    kept = await ledger.read(jobs.get, made.id)
    assert kept == made
    assert (kept.status, kept.due_at, kept.created_at) == ("queued", NOW, NOW)
    assert kept.input == {"prompt": "a lighthouse — 灯塔 \u0000"}
    assert kept.parameters["seed"] == 2**53 + 1
    document = kept.document()
    assert document["results"] is document["task_id"] is document["submitted_at"] is None
    assert document["warnings"] == ["n is unusual"]
    assert document["created_at"] == "2023-11-14T22:13:20.000Z"


async def test_an_unknown_job_is_not_found(ledger: Ledger) -> None:
    for call in (ledger.read(jobs.get, "job_0"), ledger.write(jobs.cancel, "job_0"), ledger.write(erase, "job_0")):
        with pytest.raises(NotFound, match="no job job_0"):
            await call


async def test_the_same_key_and_body_give_the_same_job(ledger: Ledger) -> None:
    keyed = draft(idempotency_key="k", idempotency_digest="d")
    first = await ledger.write(jobs.create, keyed)
    assert await ledger.write(jobs.create, keyed) == first
    assert await find(ledger) == [first.id]


async def test_the_same_key_with_another_body_is_refused(ledger: Ledger) -> None:
    await ledger.write(jobs.create, draft(idempotency_key="k", idempotency_digest="d"))
    with pytest.raises(KeyReused):
        await ledger.write(jobs.create, draft(idempotency_key="k", idempotency_digest="other"))
    assert len(await find(ledger)) == 1


async def test_a_key_is_free_again_once_its_job_is_erased(ledger: Ledger) -> None:
    first = await ledger.write(jobs.create, draft(idempotency_key="k", idempotency_digest="d"))
    await ledger.write(jobs.cancel, first.id)
    await ledger.write(erase, first.id)
    second = await ledger.write(jobs.create, draft(idempotency_key="k", idempotency_digest="other"))
    assert second.id != first.id


async def test_the_same_key_at_once_in_two_processes_gives_one_job(pair: tuple[Ledger, Ledger]) -> None:
    for number in range(10):
        keyed = draft(idempotency_key=f"k{number}", idempotency_digest="d")
        made = await asyncio.gather(*(ledger.write(jobs.create, keyed) for ledger in pair * 4))
        assert len({job.id for job in made}) == 1
    assert len(await find(pair[0])) == 10


async def test_two_processes_with_one_key_and_two_bodies_make_one_job(pair: tuple[Ledger, Ledger]) -> None:
    one, other = pair
    outcomes = await asyncio.gather(
        one.write(jobs.create, draft(idempotency_key="k", idempotency_digest="a")),
        other.write(jobs.create, draft(idempotency_key="k", idempotency_digest="b")),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {Job, KeyReused}
    assert len(await find(one)) == 1


async def test_every_filter_finds_its_jobs_and_no_others(ledger: Ledger, clock: FakeClock) -> None:
    one = await pending(ledger, task_id="task-9")
    clock.advance(1_000)
    two = await queued(ledger, model="sd3.5")
    clock.advance(1_000)
    three = await queued(ledger, provider="acedata")
    assert await find(ledger) == [three.id, two.id, one.id]
    assert await find(ledger, status="pending") == [one.id]
    assert await find(ledger, provider="acedata") == [three.id]
    assert await find(ledger, model="sd3.5") == [two.id]
    assert await find(ledger, task_id="task-9") == [one.id]
    assert await find(ledger, created_after=NOW + 1_000) == [three.id, two.id]
    assert await find(ledger, created_before=NOW + 1_000) == [one.id]
    assert await find(ledger, created_after=NOW + 1, created_before=NOW + 1_001, status="queued") == [two.id]
    assert await find(ledger, model="sd3.5", provider="acedata") == []


async def test_pages_neither_repeat_nor_skip_while_jobs_are_made(ledger: Ledger) -> None:
    made = [(await queued(ledger)).id for _ in range(7)]
    seen, cursor = [], None
    for _ in range(4):
        page = await ledger.read(jobs.find, Filter(), cursor=cursor, limit=2)
        seen += [job.id for job in page.data]
        cursor = page.next_cursor
        await queued(ledger)
    assert seen == made[::-1]
    assert cursor is None


async def test_a_page_that_ends_exactly_at_the_end_has_no_cursor(ledger: Ledger) -> None:
    await queued(ledger)
    await queued(ledger)
    assert (await ledger.read(jobs.find, Filter(), cursor=None, limit=2)).next_cursor is None


@pytest.mark.parametrize("cursor", ["", "!", "灯塔", "am9i", "am9iXzA=", "a" * 10_000, "AA\x00"])
async def test_a_bad_cursor_is_refused(ledger: Ledger, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await find(ledger, cursor=cursor)


async def test_the_cursor_of_another_list_is_refused(ledger: Ledger) -> None:
    await queued(ledger)
    await queued(ledger)
    cursor = (await ledger.read(jobs.find, Filter(), cursor=None, limit=1)).next_cursor
    with pytest.raises(BadCursor):
        await ledger.read(deliveries.find, deliveries.Filter(), cursor=cursor, limit=1)


async def test_a_queued_job_is_canceled_once_and_notifies_once(ledger: Ledger) -> None:
    job = await queued(ledger)
    canceled = await ledger.write(jobs.cancel, job.id)
    assert (canceled.status, canceled.finished_at, canceled.due_at) == ("canceled", NOW, None)
    assert await ledger.write(jobs.cancel, job.id) == canceled
    assert [row.type for row in await rows(ledger, notifications)] == ["job.canceled"]


async def test_a_job_that_left_is_canceled_only_at_its_provider_and_only_from_pending(ledger: Ledger) -> None:
    job = await pending(ledger)
    with pytest.raises(Refused, match="the job is pending"):
        await ledger.write(jobs.cancel, job.id)
    assert (await ledger.write(jobs.cancel, job.id, at_provider=True)).status == "canceled"
    for make in (submitting, unconfirmed, done):
        job = await make(ledger)
        with pytest.raises(Refused, match=f"the job is {job.status}"):
            await ledger.write(jobs.cancel, job.id, at_provider=True)


async def test_an_unresolved_job_is_resubmitted_as_a_new_one_that_names_it(ledger: Ledger) -> None:
    old = await unconfirmed(ledger, idempotency_key="k", idempotency_digest="d")
    new = await ledger.write(jobs.resubmit, old.id)
    assert (new.status, new.resubmit_of, new.idempotency_key) == ("queued", old.id, None)
    assert (new.model, new.input, new.parameters, new.metadata) == (
        old.model, old.input, old.parameters, old.metadata,
    )  # fmt: skip
    assert (await ledger.read(jobs.get, old.id)).status == "unconfirmed"


async def test_a_job_that_is_on_its_way_or_succeeded_is_not_resubmitted(ledger: Ledger) -> None:
    for make in (queued, submitting, pending, done):
        job = await make(ledger)
        with pytest.raises(Refused, match=f"the job is {job.status}"):
            await ledger.write(jobs.resubmit, job.id)


async def test_an_erased_job_leaves_nothing_in_any_table(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger, events=["*"])
    job = await done(ledger)
    assert await calls_back(ledger, job, succeeded(), None) == ["duplicate", "invalid"]
    (parcel, *_) = (await claimed(ledger)).rows
    sent = Settlement(parcel.id, parcel.lease, Attempt(NOW, 5, 200), "delivered")
    assert await ledger.write(settling.settle, [sent]) == [True]
    assert await count(ledger, attempts) == 1

    await ledger.write(erase, job.id)

    left = {table.name for table in schema.sorted_tables if await count(ledger, table)}
    assert left <= {"subscribers", "lanes", "audit", "paces", "facts"}
    assert [row.id for row in await rows(ledger, subscribers)] == [subscriber.id]
    assert await calls_back(ledger, job, succeeded()) == [None]


async def test_only_a_finished_job_is_erased(ledger: Ledger) -> None:
    for make in (queued, submitting, pending, unconfirmed):
        job = await make(ledger)
        with pytest.raises(Refused, match=f"the job is {job.status}"):
            await ledger.write(erase, job.id)


async def test_a_lost_job_is_erased_alone(ledger: Ledger) -> None:
    job, other = await pending(ledger), await pending(ledger, task_id="task-2")
    gone = polls.Asked(job.id, job.lease, None, lost="the provider no longer knows the job")
    await ledger.write(polls.settle, [gone])
    await ledger.write(erase, job.id)
    assert await find(ledger) == [other.id]
