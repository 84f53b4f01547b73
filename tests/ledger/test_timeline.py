import pytest
from builders import NOW, FakeClock, calls_back, claimed, pending, rows, subscribed, succeeded, unconfirmed, unfinished

from ledger import jobs, settling
from ledger.deliveries import Attempt
from ledger.errors import NotFound
from ledger.ledger import Ledger
from ledger.schema import callbacks
from ledger.settling import Settlement
from ledger.timeline import timeline
from ledger.verdict import KEPT_COPIES

pytestmark = pytest.mark.anyio


async def test_a_timeline_tells_everything_oldest_first(ledger: Ledger, clock: FakeClock) -> None:
    subscriber = await subscribed(ledger)
    job = await pending(ledger)
    clock.advance(1_000)
    await calls_back(ledger, job, unfinished())
    clock.advance(1_000)
    await calls_back(ledger, job, succeeded())
    (parcel,) = (await claimed(ledger)).rows
    attempt = Attempt(clock(), 40, 503, "status", "HTTP 503")
    await ledger.write(settling.settle, [Settlement(parcel.id, parcel.lease, attempt, "pending", due_at=NOW + 7_000)])
    told = await ledger.read(timeline, job.id)
    assert [(entry["at"][17:23], entry["type"]) for entry in told] == [
        ("20.000", "created"),
        ("20.000", "submitted"),
        ("21.000", "callback"),
        ("22.000", "callback"),
        ("22.000", "notification"),
        ("22.000", "delivery"),
        ("22.000", "attempt"),
        ("27.000", "next_attempt"),
    ]
    assert [entry.get("verdict") for entry in told if entry["type"] == "callback"] == ["progress", "accepted"]
    assert told[3]["callback_id"] == (await rows(ledger, callbacks))[1].id
    assert {entry.get("subscriber_id") for entry in told[5:]} == {subscriber.id}
    assert told[6]["summary"] == "attempt 1 (schedule): status: HTTP 503 after 40 ms"


async def test_an_end_is_told(ledger: Ledger, clock: FakeClock) -> None:
    await subscribed(ledger)
    job = await pending(ledger)
    await calls_back(ledger, job, succeeded())
    (parcel,) = (await claimed(ledger)).rows
    clock.advance(50)
    delivered = Settlement(parcel.id, parcel.lease, Attempt(NOW, 40, 200), "delivered")
    await ledger.write(settling.settle, [delivered])
    last = (await ledger.read(timeline, job.id))[-2:]
    assert [entry["summary"] for entry in last] == ["attempt 1 (schedule): HTTP 200 after 40 ms", "delivered"]


async def test_what_is_only_counted_is_told_too(ledger: Ledger) -> None:
    job = await pending(ledger)
    await calls_back(ledger, job, *[succeeded()] * (KEPT_COPIES + 4))
    told = [entry["summary"] for entry in await ledger.read(timeline, job.id) if entry.get("verdict") == "duplicate"]
    assert told == ["callback received: duplicate (one of 13, of which 10 are kept)"] * KEPT_COPIES


async def test_a_resubmitted_job_and_its_new_one_name_each_other(ledger: Ledger, clock: FakeClock) -> None:
    old = await unconfirmed(ledger)
    clock.advance(1)
    new = await ledger.write(jobs.resubmit, old.id)
    assert (await ledger.read(timeline, old.id))[-1]["summary"] == f"resubmitted as {new.id}"
    (created,) = await ledger.read(timeline, new.id)
    assert created["summary"].endswith(f"again for {old.id}")


async def test_an_unknown_job_has_none(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        await ledger.read(timeline, "job_gone")
