"""Jobs that name whom they tell."""

from typing import Any

import pytest
from builders import NOW, calls_back, done, pending, queued, rows, subscribed, succeeded, unfinished
from sqlalchemy import Row

from ledger import jobs, recovery, subscribers
from ledger.ledger import Ledger
from ledger.one_offs import Target
from ledger.recovery import Pace, Window
from ledger.schema import deliveries, notifications

pytestmark = pytest.mark.anyio

NOTIFY = Target("https://one-off.example/hook", "sealed-once")
ALL, PACE = Window(0), Pace(NOW, 100)


async def sent_to(ledger: Ledger, subscriber_id: str | None) -> list[tuple[str, str]]:
    """The job and the type of each delivery to a subscriber, oldest first."""
    found = await rows(ledger, deliveries)
    return [(row.job_id, row.type) for row in found if row.subscriber_id == subscriber_id]


async def never_sent(ledger: Ledger, subscriber_id: str | None) -> int:
    assert subscriber_id is not None
    expected = await ledger.read(recovery.count_never_sent, subscriber_id, ALL)
    part = await ledger.write(recovery.never_sent, subscriber_id, ALL, PACE)
    assert part == expected
    return part.count


async def test_only_those_named_are_told_each_of_its_own_events(ledger: Ledger) -> None:
    other = {"filter": {"metadata": {"tenant": "other"}}}
    steps = await subscribed(ledger, events=["job.running"], **other)
    ends = await subscribed(ledger, **other)
    failures = await subscribed(ledger, events=["job.failed"])
    bystander = await subscribed(ledger, events=["*"])
    job = await pending(ledger, subscribers=[steps.id, ends.id, failures.id])
    await calls_back(ledger, job, unfinished(), succeeded())
    assert await sent_to(ledger, steps.id) == [(job.id, "job.running")]
    assert await sent_to(ledger, ends.id) == [(job.id, "job.succeeded")]
    assert await sent_to(ledger, failures.id) == []
    assert await sent_to(ledger, bystander.id) == []


async def test_naming_nobody_tells_nobody_and_is_written_down_all_the_same(ledger: Ledger) -> None:
    await subscribed(ledger, events=["*"])
    job = await done(ledger, subscribers=[])
    assert await rows(ledger, deliveries) == []
    assert [(row.job_id, row.type) for row in await rows(ledger, notifications)] == [(job.id, "job.succeeded")]


async def test_a_filter_chooses_among_jobs_that_name_nobody(ledger: Ledger) -> None:
    mine = await subscribed(ledger, filter={"metadata": {"trial": True}, "model": ["flux-dev", "flux-schnell"]})
    wanted = await done(ledger, metadata={"trial": True})
    for metadata in ({"trial": 1}, {"trial": "true"}, {"trial": None}, {}):
        await done(ledger, metadata=metadata)
    await done(ledger, metadata={"trial": True}, model="wan2.2-t2i-flash")
    assert await sent_to(ledger, mine.id) == [(wanted.id, "job.succeeded")]


async def test_news_for_operators_go_by_what_they_listen_to(ledger: Ledger) -> None:
    watched = await subscribed(ledger)
    operator = await subscribed(ledger, events=["subscriber.disabled"], filter={"model": "none"})
    await ledger.write(subscribers.change, watched.id, {"enabled": False})
    assert [row.subscriber_id for row in await rows(ledger, deliveries)] == [operator.id]


async def test_who_was_not_named_cannot_recover_it(ledger: Ledger) -> None:
    named = await subscribed(ledger)
    await done(ledger, subscribers=[named.id])
    await done(ledger, subscribers=[])
    own = await done(ledger, subscribers=[], notify=NOTIFY)
    common = await done(ledger)
    late = await subscribed(ledger, events=["*"])
    assert await never_sent(ledger, late.id) == 1
    assert await sent_to(ledger, late.id) == [(common.id, "job.succeeded")]
    assert await never_sent(ledger, named.id) == 0
    # A one-off recovers what is its own job's only, whatever else there was to tell.
    await ledger.write(subscribers.change, own.notify_id, {"events": ["*"]})
    assert await never_sent(ledger, own.notify_id) == 0
    assert await sent_to(ledger, own.notify_id) == [(own.id, "job.succeeded")]


async def test_a_one_off_recovers_what_it_listened_to_too_late(ledger: Ledger) -> None:
    await subscribed(ledger, events=["*"])
    await done(ledger)
    own = await done(ledger, notify=NOTIFY)
    await ledger.write(subscribers.change, own.notify_id, {"events": ["job.*"]})
    assert await never_sent(ledger, own.notify_id) == 1
    assert await sent_to(ledger, own.notify_id) == [(own.id, "job.succeeded"), (own.id, "job.submitted")]


@pytest.mark.parametrize("how", ["deleted", "disabled"])
async def test_a_named_one_that_is_gone_is_not_told_and_a_disabled_one_visibly(ledger: Ledger, how: str) -> None:
    named, other = await subscribed(ledger), await subscribed(ledger)
    job = await pending(ledger, subscribers=[named.id])
    if how == "deleted":
        await ledger.write(subscribers.delete, named.id)
    else:
        await ledger.write(subscribers.change, named.id, {"enabled": False})
    assert await calls_back(ledger, job, succeeded()) == ["accepted"]
    made: list[tuple[Any, ...]] = [(row.subscriber_id, row.status) for row in await rows(ledger, deliveries)]
    assert made == ([] if how == "deleted" else [(named.id, "skipped")])
    assert await sent_to(ledger, other.id) == []


async def test_a_job_taken_back_tells_those_named_too(ledger: Ledger) -> None:
    named, other = await subscribed(ledger), await subscribed(ledger)
    job = await queued(ledger, subscribers=[named.id], notify=NOTIFY)
    await ledger.write(jobs.cancel, job.id)
    assert await sent_to(ledger, named.id) == [(job.id, "job.canceled")]
    assert await sent_to(ledger, job.notify_id) == [(job.id, "job.canceled")]
    assert await sent_to(ledger, other.id) == []


async def test_two_processes_tell_the_same(pair: tuple[Ledger, Ledger]) -> None:
    named: Row[Any] = await subscribed(pair[0])
    await subscribed(pair[1])
    job = await pending(pair[0], subscribers=[named.id], notify=NOTIFY)
    await calls_back(pair[1], job, succeeded())
    assert {row.subscriber_id for row in await rows(pair[0], deliveries)} == {named.id, job.notify_id}
