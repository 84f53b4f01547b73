"""Small makers of what the ledger's tests need: a clock, drafts, readings, and jobs brought to a state."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from ledger import jobs, parcels, submissions, subscribers
from ledger.accept import Arrival, accept
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.pace import Limit
from ledger.parcels import Claim
from ledger.submitted import Settlement
from providers.protocol import Fault, JobStatus, Metrics, Reading, Result

NOW = 1_700_000_000_000
LEASE = 60_000
DEADLINE = 24 * 3_600_000
UNLIMITED = {"dashscope": Limit(0), "acedata": Limit(0)}


class FakeClock:
    """A clock that moves only when it is told to."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, milliseconds: int) -> None:
        self.now += milliseconds


def draft(**changes: Any) -> jobs.Draft:
    order: dict[str, Any] = {
        "provider": "dashscope",
        "model": "flux-schnell",
        "input": {"prompt": "a lighthouse — 灯塔 \u0000"},
        "parameters": {"size": "1024*1024", "guidance": 3.5, "seed": 2**53 + 1},
        "metadata": {"customer": 7},
    }
    return jobs.Draft(**(order | changes))


def succeeded(*urls: str, task_id: str | None = "task-1", **changes: Any) -> Reading:
    results = tuple(Result(url) for url in urls or ("https://images.example/1.png?sign=a",))
    made = Metrics(len(results), len(results), 0)
    return Reading(JobStatus.SUCCEEDED, task_id, "SUCCEEDED", results, made, len(results), **changes)


def failed(code: str = "DataInspectionFailed", message: str = "no", task_id: str | None = "task-1") -> Reading:
    return Reading(JobStatus.FAILED, task_id, "FAILED", error=Fault(code, message))


def unfinished(status: JobStatus = JobStatus.RUNNING, task_id: str | None = "task-1") -> Reading:
    return Reading(status, task_id, status.value.upper())


def arrival(job: Job, reading: Reading | None, body: bytes = b"{}") -> Arrival:
    return Arrival(job.id, job.provider, {"content-type": "application/json"}, body, reading)


async def calls_back(ledger: Ledger, job: Job, *readings: Reading | None) -> list[str | None]:
    """The verdicts on one batch of callbacks for a job."""
    return await ledger.write(accept, [arrival(job, reading) for reading in readings])


async def queued(ledger: Ledger, **changes: Any) -> Job:
    return await ledger.write(jobs.create, draft(**changes))


async def submitting(ledger: Ledger, **changes: Any) -> Job:
    job = await queued(ledger, **changes)
    claim = await ledger.write(submissions.claim, UNLIMITED, LEASE)
    claimed = next(one.job for one in claim.jobs if one.job.id == job.id)
    assert await ledger.write(submissions.start, [(claimed.id, claimed.lease)]) == [True]
    return await ledger.read(jobs.get, job.id)


async def taken(ledger: Ledger, job: Job, task_id: str | None = "task-1") -> bool:
    """Whether the provider's yes was recorded."""
    now = ledger.clock()
    yes = Settlement(job.id, job.lease, "taken", task_id=task_id, due_at=now + 1_000, deadline_at=now + DEADLINE)
    return (await ended(ledger, yes))[0]


async def ended(ledger: Ledger, *settlements: Settlement) -> list[bool]:
    """Whether the end of each submission was recorded."""
    return [one.mine for one in await ledger.write(submissions.settle, settlements)]


async def pending(ledger: Ledger, task_id: str | None = "task-1", **changes: Any) -> Job:
    job = await submitting(ledger, **changes)
    assert await taken(ledger, job, task_id)
    return await ledger.read(jobs.get, job.id)


async def unconfirmed(ledger: Ledger, **changes: Any) -> Job:
    job = await submitting(ledger, **changes)
    assert await ended(ledger, Settlement(job.id, job.lease, "unknown")) == [True]
    return await ledger.read(jobs.get, job.id)


async def done(ledger: Ledger, **changes: Any) -> Job:
    job = await pending(ledger, **changes)
    assert await calls_back(ledger, job, succeeded()) == ["accepted"]
    return await ledger.read(jobs.get, job.id)


async def subscribed(ledger: Ledger, **changes: Any) -> Row[Any]:
    given = {"url": "https://subscriber.example/hook", "sealed_secret": "sealed"} | changes
    return await ledger.write(subscribers.create, subscribers.Draft(**given))


async def claimed(ledger: Ledger, limit: int = 64) -> Claim:
    return await ledger.write(parcels.claim, limit=limit, lease=LEASE)


async def owe(ledger: Ledger, subscriber_id: str, count: int = 1) -> list[str]:
    """Makes that many deliveries due for one subscriber, whatever it listens to; their ids, oldest first."""

    def send(connection: Connection, moment: Moment) -> list[str]:
        outbox = Outbox(connection, moment)
        sent = [outbox.send("postback.ping", {}, subscriber_id) for _ in range(count)]
        outbox.write()
        return sent

    return await ledger.write(send)


async def rows(ledger: Ledger, table: Table) -> Sequence[Row[Any]]:
    """Everything in a table, oldest first."""
    return await ledger.read(_all, table)


async def count(ledger: Ledger, table: Table) -> int:
    return await ledger.read(
        lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()
    )


async def execute(ledger: Ledger, statement: Any) -> None:
    """Sends one statement of the test's own."""
    await ledger.write(lambda connection, moment: connection.execute(statement).close())


def _all(connection: Connection, table: Table) -> Sequence[Row[Any]]:
    return connection.execute(select(table).order_by(*table.primary_key)).all()


Make = Callable[[Ledger], Any]
"""Brings a new job to some state."""
