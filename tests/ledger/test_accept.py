import pytest
from builders import (
    NOW,
    FakeClock,
    Make,
    arrival,
    calls_back,
    done,
    failed,
    pending,
    queued,
    rows,
    submitting,
    subscribed,
    succeeded,
    taken,
    unconfirmed,
    unfinished,
)  # fmt: skip
from sqlalchemy import Connection

from ledger import callbacks, jobs, polls
from ledger.accept import Arrival, accept
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.schema import callbacks as table
from ledger.schema import deliveries, notifications
from ledger.verdict import KEPT_COPIES
from providers.protocol import JobStatus, Reading

pytestmark = pytest.mark.anyio


async def lost(ledger: Ledger) -> jobs.Job:
    job = await pending(ledger)
    await ledger.write(polls.settle, [polls.Asked(job.id, job.lease, None, lost="no result came in time")])
    return await ledger.read(jobs.get, job.id)


async def test_the_first_final_callback_moves_its_job_and_notifies_in_one_commit(ledger: Ledger) -> None:
    await subscribed(ledger)
    job = await pending(ledger)
    assert await ledger.write(accept, [arrival(job, succeeded(), b'{"output": "\xff"}')]) == ["accepted"]

    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.finished_at, after.sequence) == ("succeeded", NOW, 1)
    assert [row.type for row in await rows(ledger, notifications)] == ["job.succeeded"]
    assert [row.status for row in await rows(ledger, deliveries)] == ["pending"]
    (kept,) = await rows(ledger, table)
    assert (kept.verdict, kept.task_id, kept.received_at) == ("accepted", "task-1", NOW)
    assert kept.body == b'{"output": "\xff"}'
    assert kept.headers == {"content-type": "application/json"}


async def test_nothing_is_left_of_a_callback_whose_transaction_fails(ledger: Ledger) -> None:
    await subscribed(ledger)
    job = await pending(ledger)

    def accept_and_fail(connection: Connection, moment: Moment) -> None:
        accept(connection, moment, [arrival(job, succeeded())])
        raise RuntimeError("just before the commit")

    with pytest.raises(RuntimeError):
        await ledger.write(accept_and_fail)
    assert await ledger.read(jobs.get, job.id) == job
    for empty in (table, notifications, deliveries):
        assert await rows(ledger, empty) == []


@pytest.mark.parametrize("make", [queued, submitting, pending, unconfirmed, lost])
async def test_a_success_is_accepted_from_every_open_state(ledger: Ledger, make: Make) -> None:
    job = await make(ledger)
    assert await calls_back(ledger, job, succeeded()) == ["accepted"]
    after = await ledger.read(jobs.get, job.id)
    assert (after.status, after.task_id, after.error, after.due_at) == ("succeeded", "task-1", None, None)
    assert after.submitted_at is not None
    assert (await rows(ledger, notifications))[-1].type == "job.succeeded"


async def test_a_callback_before_the_submit_answer_wins_over_it(ledger: Ledger) -> None:
    job = await submitting(ledger)
    assert await calls_back(ledger, job, succeeded()) == ["accepted"]
    before = await ledger.read(jobs.get, job.id)
    assert await taken(ledger, job) is False
    assert await ledger.read(jobs.get, job.id) == before


async def test_later_outcomes_change_nothing_and_notify_nobody(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger, events=["*"])
    job = await pending(ledger)
    assert await calls_back(ledger, job, succeeded("https://a.example/1.png?sign=1")) == ["accepted"]
    before = await ledger.read(jobs.get, job.id)
    told = len(await rows(ledger, notifications))
    clock.advance(60_000)
    verdicts = await calls_back(
        ledger,
        job,
        succeeded("https://a.example/1.png?sign=2"),
        failed(),
        unfinished(),
        None,
        succeeded(task_id="other"),
    )
    assert verdicts == ["duplicate", "conflicting", "progress", "invalid", "invalid"]
    after = await ledger.read(jobs.get, job.id)
    assert after.callback_counts == {"duplicate": 1, "conflicting": 1, "progress": 1, "invalid": 2}
    assert after.document() == before.document()
    assert len(await rows(ledger, notifications)) == told
    assert [row.task_id for row in await rows(ledger, table)][-1] == "other"


async def test_ten_copies_of_each_verdict_are_kept_and_the_rest_counted(ledger: Ledger) -> None:
    job = await done(ledger)
    for batch in ([succeeded()] * 7, [succeeded()] * 8, [failed()] * 2, [None] * 12):
        await calls_back(ledger, job, *batch)
    kept = [row.verdict for row in await rows(ledger, table)]
    assert {verdict: kept.count(verdict) for verdict in sorted(set(kept))} == {
        "accepted": 1, "conflicting": 2, "duplicate": KEPT_COPIES, "invalid": KEPT_COPIES,
    }  # fmt: skip
    counts = (await ledger.read(jobs.get, job.id)).callback_counts
    assert counts == {"duplicate": 15, "conflicting": 2, "invalid": 12}


async def test_a_batch_is_folded_in_the_order_it_came(ledger: Ledger) -> None:
    await subscribed(ledger, events=["*"])
    one, two = await pending(ledger, task_id="task-1"), await pending(ledger, task_id="task-2")
    before = len(await rows(ledger, notifications))
    verdicts = await ledger.write(
        accept,
        [
            arrival(two, unfinished(task_id="task-2")),
            arrival(one, unfinished()),
            arrival(two, failed(task_id="task-2")),
            arrival(one, succeeded()),
            arrival(one, failed()),
            arrival(two, failed(task_id="task-2")),
        ],
    )
    assert verdicts == ["progress", "progress", "accepted", "accepted", "conflicting", "duplicate"]
    assert (await ledger.read(jobs.get, one.id)).status == "succeeded"
    assert (await ledger.read(jobs.get, two.id)).status == "failed"
    told = [(row.job_id, row.type, row.sequence) for row in (await rows(ledger, notifications))[before:]]
    assert told == [
        (two.id, "job.running", 2),
        (one.id, "job.running", 2),
        (two.id, "job.failed", 3),
        (one.id, "job.succeeded", 3),
    ]


async def test_a_callback_for_a_job_that_is_gone_or_elsewhere_leaves_no_trace(ledger: Ledger) -> None:
    job = await pending(ledger)
    gone = Arrival("job_gone", "dashscope", {}, b"{}", succeeded())
    elsewhere = Arrival(job.id, "acedata", {}, b"{}", succeeded())
    assert await ledger.write(accept, [gone, arrival(job, unfinished()), elsewhere]) == [None, "progress", None]
    assert [row.verdict for row in await rows(ledger, table)] == ["progress"]
    assert await ledger.write(accept, []) == []


async def test_words_that_postgresql_cannot_store_do_not_stop_a_callback(ledger: Ledger) -> None:
    job = await pending(ledger, task_id=None)
    reading = Reading(JobStatus.RUNNING, "task\x00", "RUN\x00NING", warnings=("\x00",))
    assert await calls_back(ledger, job, reading) == ["progress"]


async def test_callbacks_are_found_by_job_task_and_verdict_without_their_bodies(ledger: Ledger) -> None:
    job = await pending(ledger)
    await calls_back(ledger, job, unfinished(), succeeded(), succeeded())
    for wanted, verdicts in [
        (callbacks.Filter(job_id=job.id), ["duplicate", "accepted", "progress"]),
        (callbacks.Filter(task_id="task-1", verdict="accepted"), ["accepted"]),
        (callbacks.Filter(task_id="task-2"), []),
    ]:
        found = await ledger.read(callbacks.find, wanted, cursor=None, limit=50)
        assert [row.verdict for row in found.data] == verdicts
        assert all("body" not in callbacks.summary(row) for row in found.data)


@pytest.mark.parametrize(
    ("body", "text", "base64"),
    [("灯塔".encode(), "灯塔", None), (b"\xff\x00", None, "/wA=")],
)
async def test_a_callback_is_shown_as_text_or_else_in_base64(
    ledger: Ledger, body: bytes, text: str | None, base64: str | None
) -> None:
    job = await pending(ledger)
    await ledger.write(accept, [arrival(job, None, body)])
    (row,) = await rows(ledger, table)
    shown = callbacks.document(await ledger.read(callbacks.get, row.id))
    assert (shown["body"], shown["body_base64"]) == (text, base64)
