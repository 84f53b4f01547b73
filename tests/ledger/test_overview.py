"""What the overview tells: counts, the most overdue work, and who is in trouble; and that looking stays cheap."""

from typing import Any

import pytest
from builders import (
    NOW,
    FakeClock,
    calls_back,
    done,
    execute,
    failed,
    owe,
    pending,
    queued,
    subscribed,
)
from sqlalchemy import Connection, update

from ledger import overview, pulse, subscribers
from ledger.clock import DAY, HOUR, MINUTE, SECOND
from ledger.ledger import Ledger
from ledger.overview import Count, Due
from ledger.schema import deliveries, lanes
from ledger.schema import jobs as job_table

from .test_plans import plans

pytestmark = pytest.mark.anyio

PROVIDERS = ("dashscope", "acedata")


async def test_jobs_are_counted_by_state_and_provider(ledger: Ledger) -> None:
    await pending(ledger)
    await queued(ledger)
    await queued(ledger)
    await queued(ledger, provider="acedata")
    assert await ledger.read(overview.jobs_by_state, ("queued", "pending", "running")) == {
        ("queued", "dashscope"): Count(2),
        ("queued", "acedata"): Count(1),
        ("pending", "dashscope"): Count(1),
    }


async def test_only_jobs_made_since_then_are_counted(ledger: Ledger, clock: FakeClock) -> None:
    await done(ledger)
    clock.advance(DAY)
    await done(ledger)
    assert await ledger.read(overview.jobs_by_state, ("succeeded",), NOW + 1) == {("succeeded", "dashscope"): Count(1)}
    assert await ledger.read(overview.jobs_by_state, ("succeeded",)) == {("succeeded", "dashscope"): Count(2)}


async def test_counting_ends_somewhere(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MOST", 3)
    overview._counting.cache_clear()
    try:
        for _ in range(3):
            await queued(ledger)
        assert await ledger.read(overview.jobs_by_state, ("queued",)) == {("queued", "dashscope"): Count(3)}
        await queued(ledger)
        assert await ledger.read(overview.jobs_by_state, ("queued",)) == {("queued", "dashscope"): Count(3, more=True)}
    finally:
        overview._counting.cache_clear()


async def test_deliveries_are_counted_by_state(ledger: Ledger) -> None:
    owed = await owe(ledger, (await subscribed(ledger)).id, 3)
    await execute(ledger, update(deliveries).where(deliveries.c.id == owed[0]).values(status="delivering"))
    counts = await ledger.read(overview.deliveries_by_state, ("pending", "delivering", "dead"))
    assert counts == {"pending": Count(2), "delivering": Count(1), "dead": Count(0)}


async def test_the_most_overdue_of_each_kind_is_named(ledger: Ledger, clock: FakeClock) -> None:
    assert await ledger.read(overview.most_overdue, clock.now, PROVIDERS) == []
    asked = await pending(ledger, provider="acedata")
    waiting = await queued(ledger)
    first, _ = await owe(ledger, (await subscribed(ledger)).id, 2)
    clock.advance(MINUTE)
    await queued(ledger)
    assert await ledger.read(overview.most_overdue, clock.now, PROVIDERS) == [
        Due("jobs to send", waiting.id, NOW),
        Due("jobs to ask about", asked.id, NOW + SECOND),
        Due("deliveries", first, NOW),
    ]


async def test_what_is_not_due_yet_is_not_overdue(ledger: Ledger, clock: FakeClock) -> None:
    await pending(ledger)
    job = await queued(ledger)
    await execute(ledger, update(job_table).where(job_table.c.id == job.id).values(due_at=NOW + HOUR))
    delivery = (await owe(ledger, (await subscribed(ledger)).id))[0]
    await execute(ledger, update(deliveries).where(deliveries.c.id == delivery).values(due_at=NOW + HOUR))
    assert await ledger.read(overview.most_overdue, clock.now, PROVIDERS) == []


async def test_subscribers_in_trouble_are_named_with_the_reason(ledger: Ledger, clock: FakeClock) -> None:
    well, failing, paused, off, gone, dead = [await subscribed(ledger, url=f"https://{n}.example/") for n in range(6)]
    await execute(ledger, _lane(well.id, failures=overview.SUSPECT - 1, failing_since=NOW))
    await execute(ledger, _lane(failing.id, failures=60, failing_since=NOW, probing=True, paused_until=NOW - 1))
    await execute(ledger, _lane(paused.id, paused_until=NOW + MINUTE))
    await ledger.write(subscribers.change, off.id, {"enabled": False, "disabled_reason": "410"})
    await execute(ledger, _lane(gone.id, failures=60))
    owed = await owe(ledger, dead.id, 3)
    moved = update(deliveries).where(deliveries.c.id.in_([*owed[:2], *await owe(ledger, gone.id)]))
    await execute(ledger, moved.values(status="delivering"))
    await execute(ledger, moved.values(status="dead", due_at=None))
    await ledger.write(subscribers.delete, gone.id)
    found = {one.id: one for one in await ledger.read(overview.in_trouble, clock.now)}
    assert set(found) == {failing.id, paused.id, off.id, dead.id}
    assert (found[failing.id].failures, found[failing.id].failing_since, found[failing.id].probing) == (60, NOW, True)
    assert found[failing.id].paused_until is None
    assert found[failing.id].url == failing.url
    assert (found[paused.id].failures, found[paused.id].paused_until) == (0, NOW + MINUTE)
    assert (found[off.id].enabled, found[off.id].disabled_reason) == (False, "410")
    assert (found[dead.id].enabled, found[dead.id].dead) == (True, Count(2))


async def test_a_pulse_changes_with_whatever_is_added_and_not_without(ledger: Ledger) -> None:
    beats = [await ledger.read(pulse.read)]
    job = await pending(ledger)
    beats.append(await ledger.read(pulse.read))
    await calls_back(ledger, job, failed())
    beats.append(await ledger.read(pulse.read))
    assert await calls_back(ledger, job, failed()) == ["duplicate"]
    beats.append(await ledger.read(pulse.read))
    row = await subscribed(ledger)
    beats.append(await ledger.read(pulse.read))
    await owe(ledger, row.id)
    beats.append(await ledger.read(pulse.read))
    assert len(set(beats)) == len(beats)
    assert await ledger.read(pulse.read) == beats[-1]


async def test_looking_reads_no_table_from_end_to_end(sqlite_url: str) -> None:
    def look(connection: Connection, moment: Any) -> None:
        overview.jobs_by_state(connection, ("queued", "succeeded"), moment.now - DAY)
        overview.deliveries_by_state(connection, ("pending", "dead"))
        overview.most_overdue(connection, moment.now + DAY, PROVIDERS)
        overview.in_trouble(connection, moment.now)
        pulse.read(connection)

    plan = await plans(sqlite_url, (look, (), {}))
    for table in ("jobs", "deliveries", "attempts", "callbacks", "notifications", "history"):
        assert f"SCAN {table}\n" not in plan + "\n", plan
    for index in ("jobs_by_status", "jobs_watched", "deliveries_by_status", "deliveries_open"):
        assert index in plan, plan


def _lane(key: str, **changes: Any) -> Any:
    return update(lanes).where(lanes.c.key == key).values(**changes)
