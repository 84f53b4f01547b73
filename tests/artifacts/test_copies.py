"""What the ledger knows of artifacts: owing, claiming, settling, quota, erasing. On both databases."""

import json
from typing import Any

import pytest
from builders import NOW, FakeClock, arrival, calls_back, done, failed, pending, rows, subscribed, succeeded
from sqlalchemy import Connection

from ledger import copies, jobs
from ledger.accept import accept
from ledger.artifacts import stored, used
from ledger.copies import FULL, Copy, Settlement
from ledger.erase import erase
from ledger.errors import NotFound
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.schema import deliveries, history, notifications
from providers.protocol import Fault, JobStatus, Reading, Result

from .works import link, made, owed

pytestmark = pytest.mark.anyio

LEASE = 60_000
A, B = "https://images.example/a.png?sign=1", "https://images.example/b.png?sign=2"
COPY = Copy("image/png", 100, "ab" * 32)


async def claimed(ledger: Ledger, limit: int = 8) -> Any:
    return (await ledger.write(copies.claim, limit=limit, lease=LEASE)).rows


async def settle(ledger: Ledger, *settlements: Settlement, quota: int = 0) -> list[str | None]:
    return [one.status for one in await ledger.write(copies.settle, settlements, quota=quota, link=link)]


def kept(row: Any, copy: Copy = COPY, due_at: int | None = NOW + 10_000) -> Settlement:
    return Settlement(row.id, row.job_id, row.lease, copy, None, due_at)


def missed(row: Any, due_at: int | None) -> Settlement:
    return Settlement(row.id, row.job_id, row.lease, None, "the answer is HTTP 500", due_at)


async def types(ledger: Ledger) -> list[str]:
    return [row.type for row in await rows(ledger, notifications)]


async def test_each_image_of_a_success_is_owed_in_the_same_transaction(ledger: Ledger) -> None:
    await subscribed(ledger)
    results = (Result(A), Result(None, Fault("InternalError", "no luck")), Result(B))
    job = await pending(ledger)
    reading = Reading(JobStatus.SUCCEEDED, "task-1", "SUCCEEDED", results)

    def accept_and_fail(connection: Connection, moment: Moment) -> None:
        accept(connection, moment, [arrival(job, reading)], archive=True)
        raise RuntimeError("just before the commit")

    with pytest.raises(RuntimeError):
        await ledger.write(accept_and_fail)
    assert await owed(ledger) == []

    verdicts = await ledger.write(accept, [arrival(job, reading), arrival(job, reading)], archive=True)
    assert verdicts == ["accepted", "duplicate"]
    told = [(row.job_id, row.position, row.source_url, row.status, row.due_at) for row in await owed(ledger)]
    assert told == [(job.id, 0, A, "pending", NOW), (job.id, 2, B, "pending", NOW)]
    (notification,) = await rows(ledger, notifications)
    assert notification.type == "job.succeeded"
    assert [result["artifact"] for result in json.loads(notification.body)["data"]["results"]] == [None] * 3


async def test_nothing_is_owed_where_nothing_is_archived_or_nothing_was_made(ledger: Ledger) -> None:
    await subscribed(ledger, events=["*"])
    await done(ledger)
    job = await pending(ledger, "task-2")
    assert await ledger.write(accept, [arrival(job, failed(task_id="task-2"))], archive=True) == ["accepted"]
    assert await owed(ledger) == []
    assert "job.archived" not in await types(ledger)


async def test_a_success_without_images_is_archived_at_once(ledger: Ledger) -> None:
    await subscribed(ledger, events=["job.archived"])
    job = await pending(ledger)
    reading = Reading(JobStatus.SUCCEEDED, "task-1", "SUCCEEDED")
    await ledger.write(accept, [arrival(job, reading)], archive=True)
    assert await types(ledger) == ["job.succeeded", "job.archived"]
    assert (await ledger.read(jobs.get, job.id)).sequence == 2


async def test_a_url_that_no_database_could_keep_fails_nobody(ledger: Ledger) -> None:
    await made(ledger, "https://images.example/\0.png")
    assert (await owed(ledger))[0].source_url == "https://images.example/\N{REPLACEMENT CHARACTER}.png"


async def test_claims_are_exclusive_until_their_lease_ends(ledger: Ledger, clock: FakeClock) -> None:
    await made(ledger, A, B)
    (first,) = await claimed(ledger, limit=1)
    claim = await ledger.write(copies.claim, limit=8, lease=LEASE)
    (second,) = claim.rows
    assert (first.source_url, second.source_url) == (A, B)
    assert (first.status, first.lease, first.due_at) == ("copying", 1, NOW + LEASE)
    assert claim.next_due == NOW + LEASE
    assert await claimed(ledger) == []

    clock.advance(LEASE)
    again, _ = await claimed(ledger)
    assert (again.id, again.lease) == (first.id, 2)
    assert await settle(ledger, kept(first), kept(again)) == [None, "stored"]
    assert await settle(ledger, kept(again)) == [None]


async def test_what_a_dead_process_held_is_due_at_once(ledger: Ledger) -> None:
    await made(ledger, A)
    await claimed(ledger)
    await ledger.write(copies.abandon)
    assert [row.lease for row in await claimed(ledger)] == [2]


async def test_a_job_gets_its_artifacts_when_nothing_is_left_to_copy(ledger: Ledger, clock: FakeClock) -> None:
    listener = await subscribed(ledger, events=["job.archived"])
    await subscribed(ledger)
    job = await made(ledger, A, B)
    one, other = await claimed(ledger)
    clock.advance(5)
    assert await settle(ledger, kept(one)) == ["stored"]
    assert (await ledger.read(jobs.get, job.id)).results == job.results
    assert await types(ledger) == ["job.succeeded"]

    assert await settle(ledger, missed(other, due_at=None)) == ["failed"]
    after = await ledger.read(jobs.get, job.id)
    facts = {"id": one.id, "media_type": "image/png", "size": 100, "sha256": "ab" * 32}
    assert [result["artifact"] for result in after.results or ()] == [facts, None]
    assert after.warnings == ["image 2 could not be kept: the answer is HTTP 500"]
    assert await types(ledger) == ["job.succeeded", "job.archived"]
    told = json.loads((await rows(ledger, notifications))[-1].body)["data"]
    assert told["sequence"] == 2
    assert told["results"][0]["artifact"] == facts | {"url": link(one.id)}
    assert list(told["results"][0]["artifact"]) == ["id", "url", "media_type", "size", "sha256"]
    sent = [(row.type, row.subscriber_id) for row in await rows(ledger, deliveries) if row.type == "job.archived"]
    assert sent == [("job.archived", listener.id)]
    assert after.document(link)["results"] == told["results"]
    diary = [row.summary for row in await rows(ledger, history) if row.type == "artifact"]
    assert diary == [
        "image 1 is kept: image/png, 100 bytes",
        "image 2 could not be kept: the answer is HTTP 500",
    ]


async def test_nobody_who_did_not_ask_hears_of_it(ledger: Ledger) -> None:
    await subscribed(ledger)
    job = await made(ledger, A)
    assert await settle(ledger, kept((await claimed(ledger))[0])) == ["stored"]
    assert await types(ledger) == ["job.succeeded"]
    assert (await ledger.read(jobs.get, job.id)).sequence == 1


async def test_a_late_settlement_announces_nothing_twice(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger, events=["*"])
    await made(ledger, A)
    (stale,) = await claimed(ledger)
    clock.advance(LEASE)
    (row,) = await claimed(ledger)
    await settle(ledger, kept(row))
    other = await made(ledger, B, model="flux-dev")
    (mine,) = await claimed(ledger)
    assert await settle(ledger, kept(stale), kept(mine)) == [None, "stored"]
    archived = [row.job_id for row in await rows(ledger, notifications) if row.type == "job.archived"]
    assert archived == [row.job_id, other.id]


async def test_a_missed_try_is_due_again(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, A)
    (row,) = await claimed(ledger)
    assert await settle(ledger, missed(row, due_at=NOW + 10_000)) == ["pending"]
    claim = await ledger.write(copies.claim, limit=8, lease=LEASE)
    assert (list(claim.rows), claim.next_due) == ([], NOW + 10_000)
    clock.advance(10_000)
    (row,) = await claimed(ledger)
    assert (row.attempt_count, row.last_error) == (1, "the answer is HTTP 500")
    assert await settle(ledger, kept(row)) == ["stored"]
    assert (await ledger.read(jobs.get, job.id)).warnings == []
    assert (await ledger.read(stored, row.id)).last_error is None


async def test_the_quota_holds_even_within_a_batch(ledger: Ledger) -> None:
    await made(ledger, A, B, "https://images.example/c.png")
    one, two, three = await claimed(ledger)
    tries = [kept(one), kept(two), kept(three, Copy("image/png", 50, "cd" * 32), due_at=None)]
    assert await settle(ledger, *tries, quota=180) == ["stored", "pending", "stored"]
    assert await ledger.read(used) == 150
    (waiting,) = [row for row in await owed(ledger) if row.status == "pending"]
    assert (waiting.last_error, waiting.due_at, waiting.size) == (FULL, NOW + 10_000, None)


@pytest.mark.parametrize("state", ["pending", "stored", "failed"])
async def test_erasing_a_job_discards_its_images(ledger: Ledger, state: str) -> None:
    job = await made(ledger, A)
    if state != "pending":
        (row,) = await claimed(ledger)
        assert await settle(ledger, kept(row) if state == "stored" else missed(row, None)) == [state]
    await ledger.write(erase, job.id)
    (row,) = await owed(ledger)
    assert (row.status, row.source_url, row.last_error) == ("discarded", "", None)
    with pytest.raises(NotFound):
        await ledger.read(stored, row.id)
    assert await ledger.read(used) == 0

    (row,) = await claimed(ledger)
    assert row.status == "discarded"
    assert await ledger.write(copies.forget, row.id, row.lease - 1) is False
    assert await ledger.write(copies.forget, row.id, row.lease) is True
    assert await owed(ledger) == []


async def test_what_is_being_copied_is_discarded_when_its_lease_is_over(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, A)
    (row,) = await claimed(ledger)
    await ledger.write(erase, job.id)
    assert await settle(ledger, kept(row)) == [None]
    assert await claimed(ledger) == []
    clock.advance(LEASE)
    assert [one.status for one in await claimed(ledger)] == ["discarded"]


async def test_a_second_success_owes_nothing_more(ledger: Ledger) -> None:
    job = await made(ledger, A)
    assert await calls_back(ledger, job, succeeded(B)) == ["conflicting"]
    assert len(await owed(ledger)) == 1
