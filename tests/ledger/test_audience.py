"""Who is told of a job: by its events, by its filter, or because the job names it."""

from collections.abc import Sequence
from typing import Any

import pytest
from builders import NOW, done, queued, rows, subscribed
from sqlalchemy import Connection, event

from ledger import jobs, subscribers
from ledger.audience import Audience, Reader
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.one_offs import Target
from ledger.schema import deliveries

pytestmark = pytest.mark.anyio

NOTIFY = Target("https://one-off.example/hook", "sealed")


def job(**changes: Any) -> Job:
    fixed = {"id": "job_1", "provider": "dashscope", "model": "flux-dev", "status": "queued", "created_at": NOW}
    return Job(**(fixed | {"input": {}, "parameters": {}, "metadata": {"tenant": "acme"}} | changes))


def reader(**changes: Any) -> Reader:
    return Reader(**({"id": "sub_1", "lane": "sub_1", "events": ["job.succeeded"]} | changes))


@pytest.mark.parametrize(
    ("one", "about", "told"),
    [
        ({}, {}, True),
        ({"events": ["job.failed"]}, {}, False),
        ({"filter": {"metadata": {"tenant": "acme"}}}, {}, True),
        ({"filter": {"metadata": {"tenant": "other"}}}, {}, False),
        # A job that names its subscribers is the one to say, but what they listen to stays theirs.
        ({"filter": {"metadata": {"tenant": "other"}}}, {"subscribers": ["sub_1"]}, True),
        ({"events": ["job.failed"]}, {"subscribers": ["sub_1"]}, False),
        ({}, {"subscribers": ["sub_2", "sub_1"]}, True),
        ({}, {"subscribers": ["sub_2"]}, False),
        ({}, {"subscribers": []}, False),
        # One that is disabled has the delivery all the same, to be seen and recovered.
        ({"enabled": False}, {}, True),
        # A one-off is told of its own job, whomever that names, and of no other.
        ({"job_id": "job_1"}, {}, True),
        ({"job_id": "job_1"}, {"subscribers": []}, True),
        ({"job_id": "job_1", "filter": {"model": "other"}}, {}, True),
        ({"job_id": "job_1", "events": ["job.failed"]}, {}, False),
        ({"job_id": "job_2"}, {}, False),
        ({"job_id": "job_2"}, {"subscribers": ["sub_1"]}, False),
    ],
)
def test_who_gets_a_success(one: dict[str, Any], about: dict[str, Any], told: bool) -> None:
    assert reader(**one).gets("job.succeeded", job(**about)) is told


async def told(ledger: Ledger, about: Job, event_type: str = "job.succeeded") -> Sequence[str]:
    return await ledger.read(lambda connection: [one.id for one in Audience(connection).of(event_type, about)])


async def test_those_deleted_are_not_told_and_one_offs_of_others_neither(ledger: Ledger) -> None:
    mine, gone = await subscribed(ledger), await subscribed(ledger)
    await ledger.write(subscribers.delete, gone.id)
    other = await queued(ledger, notify=NOTIFY)
    plain, about = await queued(ledger), await queued(ledger, notify=NOTIFY)
    assert await told(ledger, plain) == [mine.id]
    assert await told(ledger, about) == [mine.id, about.notify_id]
    assert await told(ledger, other) == [mine.id, other.notify_id]
    await ledger.write(subscribers.delete, other.notify_id)
    assert await told(ledger, other) == [mine.id]


async def test_naming_who_was_deleted_since_tells_the_rest(ledger: Ledger) -> None:
    first, second = await subscribed(ledger), await subscribed(ledger)
    about = await queued(ledger, subscribers=[first.id, second.id])
    await ledger.write(subscribers.delete, first.id)
    assert await told(ledger, about) == [second.id]


async def test_the_one_offs_of_many_jobs_are_read_together(ledger: Ledger) -> None:
    await subscribed(ledger)
    made = [await queued(ledger, notify=NOTIFY) for _ in range(20)]
    sent: list[str] = []

    def look(connection: Connection) -> list[int]:
        event.listen(connection, "before_cursor_execute", lambda *given: sent.append(given[2]))
        audience = Audience(connection)
        audience.meet(made)
        return [len(audience.of("job.succeeded", one)) for one in made]

    assert await ledger.read(look) == [2] * 20
    assert len([statement for statement in sent if statement.startswith("SELECT")]) == 2, sent


async def test_a_disabled_one_that_is_named_has_a_delivery_to_be_seen(ledger: Ledger) -> None:
    named, _ = await subscribed(ledger), await subscribed(ledger)
    await ledger.write(subscribers.change, named.id, {"enabled": False})
    made = await done(ledger, subscribers=[named.id])
    (owed,) = await rows(ledger, deliveries)
    assert (owed.job_id, owed.subscriber_id, owed.status) == (made.id, named.id, "skipped")
    assert owed.last_error == "the subscriber is disabled"


async def test_a_job_keeps_whom_it_names(ledger: Ledger) -> None:
    made = [await queued(ledger, subscribers=named) for named in (None, [], ["sub_b", "sub_a"])]
    kept = [await ledger.read(jobs.get, one.id) for one in made]
    assert [one.subscribers for one in kept] == [None, [], ["sub_b", "sub_a"]]
