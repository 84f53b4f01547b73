import asyncio

import pytest
from builders import (
    DEADLINE,
    LEASE,
    NOW,
    UNLIMITED,
    FakeClock,
    calls_back,
    ended,
    failed,
    queued,
    rows,
    submitting,
    subscribed,
    succeeded,
    taken,
    unconfirmed,
    unfinished,
)  # fmt: skip

from ledger import jobs, submissions
from ledger.ledger import Ledger
from ledger.pace import HORIZON, Limit, Limits
from ledger.schema import deliveries, history, notifications
from ledger.submissions import MAX_CLAIM, Claim
from ledger.submitted import Settlement
from providers.protocol import Fault

pytestmark = pytest.mark.anyio


async def claim(ledger: Ledger, limits: Limits = UNLIMITED) -> Claim:
    return await ledger.write(submissions.claim, limits, LEASE)


def models(claim: Claim) -> list[str]:
    return [one.job.model for one in claim.jobs]


async def test_a_claim_takes_the_oldest_first_and_holds_it_under_a_lease(ledger: Ledger, clock: FakeClock) -> None:
    made = [await queued(ledger) for _ in range(3)]
    got = await claim(ledger, {"dashscope": Limit(2, in_flight=1)})
    (one,) = got.jobs
    assert (one.job.id, one.send_at) == (made[0].id, NOW)
    assert await ledger.read(jobs.get, made[0].id) == one.job
    assert (one.job.status, one.job.lease, one.job.tries, one.job.due_at) == ("submitting", 1, 1, NOW + LEASE)
    assert (await claim(ledger, {"acedata": Limit(0)})).jobs == ()


async def test_a_job_that_is_not_due_waits_and_its_time_is_told(ledger: Ledger, clock: FakeClock) -> None:
    job = await submitting(ledger)
    assert await ended(ledger, Settlement(job.id, job.lease, "put_back", due_at=NOW + 9_000)) == [True]
    assert await claim(ledger) == Claim((), NOW + 9_000)
    clock.advance(9_000)
    assert [one.job.tries for one in (await claim(ledger)).jobs] == [2]


async def test_an_empty_ledger_has_nothing_due(ledger: Ledger) -> None:
    assert await claim(ledger) == Claim((), None)


async def test_slots_are_evenly_spaced(ledger: Ledger, clock: FakeClock) -> None:
    for _ in range(6):
        await queued(ledger)
    limits = {"dashscope": Limit(2)}
    times, due = [], None
    for _ in range(20):
        got = await claim(ledger, limits)
        times += [one.send_at - NOW for one in got.jobs]
        assert all(one.send_at <= clock() + HORIZON for one in got.jobs)
        due = got.next_due
        if len(times) == 6:
            break
        assert due is not None
        clock.now = max(due, clock.now + 1)
    assert times == [0, 500, 1_000, 1_500, 2_000, 2_500]


async def test_a_pause_does_not_save_up_slots(ledger: Ledger, clock: FakeClock) -> None:
    limits = {"dashscope": Limit(10)}
    await queued(ledger)
    await claim(ledger, limits)
    clock.advance(60_000)
    for _ in range(10):
        await queued(ledger)
    assert [one.send_at - clock() for one in (await claim(ledger, limits)).jobs] == [0, 100, 200]


async def test_each_model_has_its_pace_or_the_account_has_one(ledger: Ledger) -> None:
    for model in ("a", "a", "b", "b"):
        await queued(ledger, model=model)
        await queued(ledger, model=model, provider="acedata")
    got = await claim(ledger, {"dashscope": Limit(1), "acedata": Limit(1, per_model=False)})
    sent = sorted((one.job.provider, one.job.model) for one in got.jobs)
    assert sent == [("acedata", "a"), ("dashscope", "a"), ("dashscope", "b")]


async def test_in_flight_limits_count_each_model_or_the_account(ledger: Ledger) -> None:
    for model in ("a", "a", "a", "b"):
        await queued(ledger, model=model)
        await queued(ledger, model=model, provider="acedata")
    limits = {"dashscope": Limit(0, in_flight=2), "acedata": Limit(0, in_flight=2, per_model=False)}
    got = await claim(ledger, limits)
    sent = sorted((one.job.provider, one.job.model) for one in got.jobs)
    assert sent == [("acedata", "a"), ("acedata", "a"), ("dashscope", "a"), ("dashscope", "a"), ("dashscope", "b")]
    assert (await claim(ledger, limits)).jobs == ()
    ended = next(one.job for one in got.jobs if one.job.provider == "acedata")
    await calls_back(ledger, ended, succeeded())
    assert models(await claim(ledger, limits)) == ["a"]


async def test_more_than_one_claim_takes_are_asked_for_again_at_once(ledger: Ledger) -> None:
    for _ in range(MAX_CLAIM + 1):
        await queued(ledger)
    first = await claim(ledger)
    assert (len(first.jobs), first.next_due) == (MAX_CLAIM, NOW)
    assert len((await claim(ledger)).jobs) == 1


async def test_two_processes_share_pace_and_jobs(pair: tuple[Ledger, Ledger], clock: FakeClock) -> None:
    for _ in range(12):
        await queued(pair[0])
    times, ids = [], []
    for _ in range(8):
        for got in await asyncio.gather(*(claim(ledger, {"dashscope": Limit(10)}) for ledger in pair)):
            times += [one.send_at - NOW for one in got.jobs]
            ids += [one.job.id for one in got.jobs]
        clock.advance(200)
    assert sorted(times) == [100 * number for number in range(12)]
    assert len(set(ids)) == 12


@pytest.mark.parametrize("rate", [0, 1_000])
async def test_two_processes_share_the_in_flight_limit(pair: tuple[Ledger, Ledger], rate: float) -> None:
    for model in ("a", "b"):
        for _ in range(10):
            await queued(pair[0], model=model)
    claims = await asyncio.gather(*(claim(ledger, {"dashscope": Limit(rate, in_flight=3)}) for ledger in pair * 3))
    assert sorted(model for got in claims for model in models(got)) == ["a"] * 3 + ["b"] * 3


async def test_a_taken_job_is_pending_until_its_deadline(ledger: Ledger) -> None:
    job = await submitting(ledger)
    assert await taken(ledger, job)
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.task_id, after.submitted_at) == ("pending", "task-1", NOW)
    assert (after.due_at, after.deadline_at) == (NOW + 1_000, NOW + DEADLINE)
    assert await taken(ledger, job, "task-2") is False
    assert (await ledger.read(jobs.get, job.id)).task_id == "task-1"


@pytest.mark.parametrize("task_id", ["task-1", None])
async def test_a_job_whose_progress_came_before_the_submit_answer_still_gets_a_deadline(
    ledger: Ledger, task_id: str | None
) -> None:
    job = await submitting(ledger)
    await calls_back(ledger, job, unfinished(task_id=task_id))
    assert await taken(ledger, job) is True
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.task_id) == ("running", "task-1")
    assert (after.due_at, after.deadline_at) == (NOW + 1_000, NOW + DEADLINE)


async def test_how_a_submission_ends_is_kept_and_told(ledger: Ledger) -> None:
    await subscribed(ledger)
    fault = Fault("InvalidParameter", "size is wrong")
    refused, unknown, back = [await submitting(ledger) for _ in range(3)]
    assert await ended(
        ledger,
        Settlement(refused.id, 1, "refused", fault=fault),
        Settlement(unknown.id, 1, "unknown", fault=fault),
        Settlement(back.id, 1, "put_back", due_at=NOW + 1, fault=fault),
    ) == [True, True, True]
    seen = [await ledger.read(jobs.get, job.id) for job in (refused, unknown, back)]
    assert [job.status for job in seen] == ["failed", "unconfirmed", "queued"]
    assert seen[0].error == seen[1].error == {"code": "InvalidParameter", "message": "size is wrong"}
    assert (seen[0].results, seen[0].finished_at, seen[1].finished_at) == ([], NOW, None)
    assert [row.type for row in await rows(ledger, deliveries)] == ["job.failed", "job.unconfirmed"]
    assert [row.type for row in await rows(ledger, history)] == ["refused", "unconfirmed", "put_back"]


@pytest.mark.parametrize("outcome", ["taken", "refused", "put_back", "unknown"])
async def test_a_stale_lease_changes_nothing(ledger: Ledger, clock: FakeClock, outcome: str) -> None:
    job = await submitting(ledger)
    await ended(ledger, Settlement(job.id, job.lease, "put_back", due_at=NOW))
    (again,) = (await claim(ledger)).jobs
    assert await ended(ledger, Settlement(job.id, job.lease, outcome, task_id="t", due_at=NOW)) == [False]
    assert await ledger.read(jobs.get, job.id) == again.job


async def test_an_expired_lease_makes_a_job_unconfirmed_never_queued(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger)
    job = await submitting(ledger)
    assert (await claim(ledger)).next_due == NOW + LEASE
    clock.advance(LEASE - 1)
    assert await ledger.write(submissions.expire) == 0
    clock.advance(1)
    assert await ledger.write(submissions.expire) == 1
    assert await ledger.write(submissions.expire) == 0
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.finished_at, after.sequence) == ("unconfirmed", None, 1)
    assert [row.type for row in await rows(ledger, deliveries)] == ["job.unconfirmed"]
    assert (await claim(ledger)).jobs == ()


async def test_a_late_yes_adopts_an_expired_job(ledger: Ledger, clock: FakeClock) -> None:
    job = await submitting(ledger)
    clock.advance(LEASE)
    await ledger.write(submissions.expire)
    assert await taken(ledger, job) is True
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.task_id, after.error) == ("pending", "task-1", None)


async def test_a_late_refusal_is_the_truth(ledger: Ledger) -> None:
    job = await unconfirmed(ledger)
    refused = Settlement(job.id, job.lease, "refused", fault=Fault("InvalidApiKey", "No such key."))
    assert await ended(ledger, refused) == [True]
    now = await ledger.read(jobs.get, job.id)
    assert (now.status, now.error) == ("failed", {"code": "InvalidApiKey", "message": "No such key."})


@pytest.mark.parametrize("outcome", ["put_back", "unknown"])
async def test_any_other_late_answer_leaves_it_to_a_person(ledger: Ledger, outcome: str) -> None:
    job = await unconfirmed(ledger)
    assert await ended(ledger, Settlement(job.id, job.lease, outcome, due_at=NOW)) == [False]
    assert await ledger.read(jobs.get, job.id) == job


async def test_an_answer_after_the_result_changes_nothing(ledger: Ledger) -> None:
    job = await submitting(ledger)
    await calls_back(ledger, job, failed())
    before = await ledger.read(jobs.get, job.id)
    for outcome in ("taken", "refused", "put_back", "unknown"):
        assert await ended(ledger, Settlement(job.id, job.lease, outcome, task_id="task-1", due_at=NOW)) == [False]
    assert await ledger.read(jobs.get, job.id) == before
    assert len(await rows(ledger, notifications)) == 1
    assert await ended(ledger, Settlement("job_gone", 1, "unknown")) == [False]


async def test_a_dead_process_leaves_its_jobs_unconfirmed_at_once(ledger: Ledger) -> None:
    job, waiting = await submitting(ledger), await queued(ledger)
    await ledger.write(submissions.abandon)
    assert await ledger.write(submissions.expire) == 1
    assert (await ledger.read(jobs.get, job.id)).status == "unconfirmed"
    assert (await ledger.read(jobs.get, waiting.id)).status == "queued"


async def test_a_claim_that_was_never_started_is_queued_again(ledger: Ledger, clock: FakeClock) -> None:
    job = await queued(ledger)
    held = (await claim(ledger)).jobs[0].job
    clock.advance(LEASE + HORIZON)
    assert await ledger.write(submissions.expire) == 1
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.due_at) == ("queued", clock())
    assert [row.type for row in await rows(ledger, history)] == ["put_back"]
    assert await rows(ledger, notifications) == []
    assert await ledger.write(submissions.start, [(held.id, held.lease)]) == [False]


async def test_only_the_holder_of_a_good_lease_may_start(ledger: Ledger, clock: FakeClock) -> None:
    await queued(ledger)
    held = (await claim(ledger)).jobs[0].job
    claims = [(held.id, held.lease - 1), ("job_gone", 1), (held.id, held.lease)]
    assert await ledger.write(submissions.start, claims) == [False, False, True]
    clock.advance(LEASE + HORIZON)
    assert await ledger.write(submissions.start, [(held.id, held.lease)]) == [False]
