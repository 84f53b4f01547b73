"""One-off subscribers: made with their jobs, told of them only, and erased with them."""

import pytest
from builders import NOW, count, done, draft, queued, rows, subscribed, unconfirmed
from sqlalchemy import Connection, event

from ledger import audit, jobs, lanes, one_offs, subscribers
from ledger.erase import erase
from ledger.events import DEFAULT_EVENTS
from ledger.jobs import Draft
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.one_offs import Target
from ledger.schema import audit as audit_table
from ledger.schema import deliveries
from ledger.schema import jobs as job_table
from ledger.schema import lanes as lane_table
from ledger.schema import subscribers as table

pytestmark = pytest.mark.anyio

NOTIFY = Target("https://One-Off.example:8443/hook?key=a", "sealed-once")
HOST = "https://one-off.example:8443"


async def test_a_job_with_a_url_makes_a_subscriber_of_its_own(ledger: Ledger) -> None:
    job = await queued(ledger, notify=NOTIFY)
    assert job.notify_id is not None
    row = await ledger.read(subscribers.get, job.notify_id)
    assert (row.url, row.sealed_secret, row.job_id) == (NOTIFY.url, NOTIFY.sealed_secret, job.id)
    assert (tuple(row.events), row.enabled, row.created_at) == (DEFAULT_EVENTS, True, NOW)
    assert job.id in row.description
    assert (await ledger.read(lanes.get, [HOST])).keys() == {HOST}
    assert await ledger.read(one_offs.target_of, job.notify_id) == NOTIFY
    assert (await ledger.read(jobs.get, job.id)).notify_id == job.notify_id


async def test_a_job_without_one_makes_none(ledger: Ledger) -> None:
    assert (await queued(ledger)).notify_id is None
    assert await count(ledger, table) == 0


async def test_it_is_no_subscriber_that_can_be_listed_or_named(ledger: Ledger) -> None:
    standing, job = await subscribed(ledger), await queued(ledger, notify=NOTIFY)
    page = await ledger.read(subscribers.find, cursor=None, limit=50)
    assert [row.id for row in page.data] == [standing.id]
    assert await ledger.read(subscribers.missing, [standing.id, job.notify_id]) == [job.notify_id]


async def test_it_can_be_changed_rotated_and_deleted(ledger: Ledger) -> None:
    job = await queued(ledger, notify=NOTIFY)
    await ledger.write(subscribers.change, job.notify_id, {"payload": "thin"})
    await ledger.write(subscribers.rotate, job.notify_id, {"sealed_secret": "sealed-again"}, 1_000)
    row = await ledger.read(subscribers.get, job.notify_id)
    assert (row.payload, row.old_secrets) == ("thin", [{"sealed": "sealed-once", "until": NOW + 1_000}])
    assert await ledger.read(one_offs.target_of, job.notify_id) == Target(NOTIFY.url, "sealed-again")
    await ledger.write(subscribers.delete, job.notify_id)
    assert await ledger.read(one_offs.target_of, job.notify_id) is None
    await ledger.write(jobs.cancel, job.id)
    assert await count(ledger, deliveries) == 0


async def test_targets_are_found_together(ledger: Ledger) -> None:
    made = [await queued(ledger, notify=Target(f"https://h.example/{i}", f"sealed-{i}")) for i in range(3)]
    ids = [job.notify_id for job in made if job.notify_id is not None]
    await ledger.write(subscribers.delete, ids[1])
    found = await ledger.read(one_offs.targets_of, [*ids, "sub_unknown"])
    assert found == {ids[i]: Target(f"https://h.example/{i}", f"sealed-{i}") for i in (0, 2)}
    assert await ledger.read(one_offs.targets_of, []) == {}


async def test_erasing_a_job_erases_its_own_and_nobody_elses(ledger: Ledger) -> None:
    standing = await subscribed(ledger)
    gone, kept = await done(ledger, notify=NOTIFY), await done(ledger, notify=NOTIFY)
    for job in (gone, kept):
        await ledger.write(subscribers.change, job.notify_id, {"description": "told"})
    await ledger.write(erase, gone.id)
    assert [row.id for row in await rows(ledger, table)] == sorted([standing.id, str(kept.notify_id)])
    assert await ledger.read(audit.find, str(gone.notify_id), 10) == []
    assert len(await ledger.read(audit.find, str(kept.notify_id), 10)) == 1
    assert await count(ledger, audit_table) == 2
    assert {row.job_id for row in await rows(ledger, deliveries)} == {kept.id}
    assert await ledger.read(one_offs.target_of, str(kept.notify_id)) == NOTIFY


async def test_submitting_again_takes_the_url_and_the_names_along(ledger: Ledger) -> None:
    named = await subscribed(ledger)
    old = await unconfirmed(ledger, subscribers=[named.id], notify=NOTIFY)
    new = await ledger.write(jobs.resubmit, old.id)
    assert (new.subscribers, new.resubmit_of) == ([named.id], old.id)
    assert new.notify_id not in (None, old.notify_id)
    assert await ledger.read(one_offs.target_of, str(new.notify_id)) == NOTIFY
    assert (await ledger.read(subscribers.get, str(new.notify_id))).job_id == new.id


async def test_submitting_again_without_a_url_that_was_deleted(ledger: Ledger) -> None:
    old = await unconfirmed(ledger, notify=NOTIFY)
    await ledger.write(subscribers.delete, old.notify_id)
    assert (await ledger.write(jobs.resubmit, old.id)).notify_id is None


async def test_a_repeated_key_makes_no_second_one(ledger: Ledger) -> None:
    asked = draft(idempotency_key="k", idempotency_digest="d", notify=NOTIFY)
    other = draft(idempotency_key="k", idempotency_digest="d", notify=Target(NOTIFY.url, "made anew"))
    first = await ledger.write(jobs.create, asked)
    assert await ledger.write(jobs.create, other) == first
    assert await ledger.write(jobs.create_all, [other, asked]) == [first, first]
    assert [row.sealed_secret for row in await rows(ledger, table)] == [NOTIFY.sealed_secret]


async def test_a_thousand_are_recorded_with_few_statements(ledger: Ledger) -> None:
    def record(connection: Connection, moment: Moment, drafts: list[Draft]) -> int:
        sent: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *given: sent.append(given[2]))
        jobs.create_all(connection, moment, drafts)
        return len(sent)

    drafts = [draft(notify=Target(f"https://h{i % 5}.example/{i}", "sealed")) for i in range(1_000)]
    plain = await ledger.write(record, [draft()] * 1_000)
    assert await ledger.write(record, drafts) <= plain + 2 + 5  # the one-offs, a look at the lanes, and new lanes
    assert await ledger.write(record, drafts) <= plain + 2
    assert (await count(ledger, job_table), await count(ledger, table)) == (3_000, 2_000)
    assert await count(ledger, lane_table) == 5
