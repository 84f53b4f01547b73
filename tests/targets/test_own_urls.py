"""Jobs that bring a URL of their own along: what its one-off subscriber gets, and how that ends."""

import json
from pathlib import Path

import pytest
from builders import (
    NOW,
    FakeClock,
    calls_back,
    claimed,
    done,
    failed,
    pending,
    rows,
    subscribed,
    succeeded,
    unfinished,
)

from ledger import deliveries, erase, jobs, lanes, settling, subscribers
from ledger.deliveries import Attempt
from ledger.keys import SecretKeys
from ledger.lane import DEFAULT_MAX_IN_FLIGHT
from ledger.ledger import Ledger, open_database
from ledger.one_offs import Target
from ledger.schema import deliveries as table
from ledger.schema import notifications
from ledger.settling import Settlement
from ledger.timeline import timeline

pytestmark = pytest.mark.anyio

GONE = Attempt(NOW, 15, 410, "status", "the subscriber answered HTTP 410")
HOST = "https://one-off.example:443"


def to(path: str = "/hook") -> Target:
    return Target(HOST + path, "sealed-once")


async def test_it_is_told_of_outcomes_beside_the_others(ledger: Ledger) -> None:
    other = await subscribed(ledger)
    job = await pending(ledger, notify=to())
    await calls_back(ledger, job, unfinished(), failed())
    made = await rows(ledger, table)
    assert [(row.subscriber_id, row.type) for row in made] == [(other.id, "job.failed"), (job.notify_id, "job.failed")]
    assert len({row.notification_id for row in made}) == 1
    assert [row.lane for row in made] == [other.id, HOST]


async def test_no_subscriber_learns_its_url_or_secret(ledger: Ledger) -> None:
    await subscribed(ledger, events=["job.*"])
    job = await done(ledger, notify=to("/hook?key=hush"))
    told = [row.body.decode() for row in await rows(ledger, notifications)]
    assert [json.loads(text)["type"] for text in told] == ["job.submitted", "job.succeeded"]
    for text in (*told, json.dumps(job.document()), json.dumps(await ledger.read(timeline, job.id))):
        assert "hush" not in text
        assert "sealed-once" not in text


async def test_its_deliveries_are_seen_where_others_are(ledger: Ledger) -> None:
    job = await done(ledger, notify=to())
    (parcel,) = (await claimed(ledger)).rows
    assert (parcel.url, parcel.sealed_secret) == (to().url, "sealed-once")
    arrived = Settlement(parcel.id, parcel.lease, Attempt(NOW, 15, 200), "delivered")
    assert await ledger.write(settling.settle, [arrived]) == [True]
    wanted = deliveries.Filter(subscriber_id=job.notify_id)
    (row,) = (await ledger.read(deliveries.find, wanted, cursor=None, limit=50)).data
    assert (row.id, row.job_id, row.status) == (parcel.id, job.id, "delivered")
    told = [one["type"] for one in await ledger.read(timeline, job.id) if one.get("subscriber_id") == job.notify_id]
    assert told == ["delivery", "attempt", "delivered"]


async def test_410_disables_the_one_that_said_so(ledger: Ledger) -> None:
    standing = await subscribed(ledger, url=HOST + "/standing")
    job, other = await done(ledger, notify=to("/a")), await done(ledger, notify=to("/b"))
    parcels = {row.subscriber_id: row for row in (await claimed(ledger)).rows if row.lane == HOST}
    gone = parcels[job.notify_id]
    ended = Settlement(gone.id, gone.lease, GONE, "dead", disable="it answered 410 Gone")
    assert await ledger.write(settling.settle, [ended]) == [True]
    found = [await ledger.read(subscribers.get, one) for one in (job.notify_id, other.notify_id, standing.id)]
    assert [row.enabled for row in found] == [False, True, True]
    assert found[0].disabled_reason == "it answered 410 Gone"
    assert (await ledger.read(deliveries.get, parcels[other.notify_id].id)).status == "delivering"
    later = await done(ledger, notify=to("/c"))
    assert [row.subscriber_id for row in (await claimed(ledger)).rows if row.lane == HOST] == [later.notify_id]


async def test_all_urls_at_one_host_share_a_lane_and_its_bounds(ledger: Ledger) -> None:
    for i in range(DEFAULT_MAX_IN_FLIGHT + 5):
        await done(ledger, notify=to(f"/{i}"))
    elsewhere = await done(ledger, notify=Target("https://elsewhere.example/", "sealed"))
    taken = (await claimed(ledger)).rows
    at_host = [row for row in taken if row.lane == HOST]
    assert len(at_host) == DEFAULT_MAX_IN_FLIGHT
    assert [row.subscriber_id for row in taken if row.lane != HOST] == [elsewhere.notify_id]
    assert len(await ledger.read(lanes.get, [HOST, "https://elsewhere.example:443"])) == 2


async def test_deleting_it_skips_what_it_is_owed_and_nothing_else(ledger: Ledger, clock: FakeClock) -> None:
    job, other = await done(ledger, notify=to("/a")), await done(ledger, notify=to("/b"))
    await ledger.write(subscribers.delete, job.notify_id)
    found = {row.subscriber_id: (row.status, row.last_error) for row in await rows(ledger, table)}
    assert found == {job.notify_id: ("skipped", "the subscriber was deleted"), other.notify_id: ("pending", None)}


async def test_a_changed_url_is_where_the_rest_goes(ledger: Ledger) -> None:
    job = await pending(ledger, notify=to())
    await ledger.write(subscribers.change, job.notify_id, {"url": "https://moved.example/hook"})
    await calls_back(ledger, job, succeeded())
    (parcel,) = (await claimed(ledger)).rows
    assert (parcel.url, parcel.lane) == ("https://moved.example/hook", "https://moved.example:443")


async def test_an_erased_job_leaves_no_secret_in_the_file(anyio_backend: str, sqlite_url: str, tmp_path: Path) -> None:
    ledger = Ledger(await open_database(sqlite_url), clock=FakeClock())
    keys = SecretKeys(["a-secret-key-for-tests"])
    sealed = [keys.encrypt(f"whsec_{i}") for i in range(3)]
    await ledger.database.migrate()
    made = [await done(ledger, notify=Target(f"https://canary.example/{i}", one)) for i, one in enumerate(sealed)]
    await ledger.write(subscribers.rotate, made[0].notify_id, {"sealed_secret": sealed[2]}, 60_000)
    await ledger.write(subscribers.change, made[0].notify_id, {"url": "https://canary.example/moved"})
    await ledger.write(erase.erase, made[0].id)
    await ledger.write(erase.erase, made[2].id)
    assert (await ledger.read(jobs.get, made[1].id)).id == made[1].id
    await ledger.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [one.encode() in kept for one in sealed] == [False, True, False]
    assert [b"canary.example/" + end in kept for end in (b"0", b"1", b"moved")] == [False, True, False]
