"""The loop, on a clock that only the test moves, with a host on this machine."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from builders import FakeClock, rows, subscribed

from ledger import copies, jobs
from ledger.artifacts import used
from ledger.clock import HOUR, MINUTE, SECOND
from ledger.copies import FULL, Copy
from ledger.erase import erase
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.schema import history, notifications
from receiver.archiver import COPY_TIMEOUT, LEASE_MARGIN, MAX_CLAIMED, MAX_COPIES, ROUNDS, SCHEDULE
from receiver.download import NotCopied
from receiver.storage import Folder, Storage, StorageError

from .host import PNG, Host, answer, dripping
from .works import Works, made, owed

pytestmark = pytest.mark.anyio

Make = Callable[..., Works]
GOOD, BAD = answer(), answer(b"", 500)


async def archived(ledger: Ledger) -> int:
    return [row.type for row in await rows(ledger, notifications)].count("job.archived")


async def test_images_are_copied_and_their_job_is_archived(lite: Ledger, host: Host, works: Make) -> None:
    await subscribed(lite, events=["job.archived"])
    job = await made(lite, host.gives("/1.png"), host.gives("/2.png", answer(b"GIF89a...")))
    archiver = works()
    assert await archiver.run() == lite.clock() + ROUNDS * COPY_TIMEOUT + LEASE_MARGIN
    first, second = await owed(lite)
    assert (first.status, first.media_type, first.size) == ("stored", "image/png", len(PNG))
    assert first.sha256 == hashlib.sha256(PNG).hexdigest()
    assert (second.status, second.media_type) == ("stored", "image/gif")
    assert await archiver.kept(first.id) == PNG
    assert len(archiver.files()) == 2
    assert await archived(lite) == 1
    assert (archiver.settled, archiver.told > 0) == (2, True)
    after = await lite.read(jobs.get, job.id)
    assert [result["artifact"]["id"] for result in after.results or ()] == [first.id, second.id]
    assert await archiver.run() is None


async def test_nobody_is_called_for_what_nobody_wants_to_hear(lite: Ledger, host: Host, works: Make) -> None:
    await subscribed(lite, events=["job.succeeded"])
    await made(lite, host.gives("/1.png"))
    archiver = works()
    await archiver.run()
    assert (archiver.settled, archiver.told) == (1, 0)


async def test_a_miss_is_tried_again_on_schedule(lite: Ledger, host: Host, works: Make, clock: FakeClock) -> None:
    await subscribed(lite, events=["job.archived"])
    await made(lite, host.gives("/1.png", BAD, BAD, GOOD))
    archiver, started = works(), clock()
    await archiver.run()
    tried = [clock() - started]
    while (due := (await owed(lite))[0].due_at) is not None:
        clock.now = due
        tried.append(clock() - started)
        await archiver.run()
    assert tried == [0, 10 * SECOND, 70 * SECOND]
    assert (await owed(lite))[0].status == "stored"
    assert await archived(lite) == 1
    said = [row.summary for row in await rows(lite, history) if row.type == "artifact"]
    assert said[:2] == ["image 1 could not be kept yet: the answer is HTTP 500"] * 2


async def test_a_used_up_schedule_is_the_end(lite: Ledger, host: Host, works: Make, clock: FakeClock) -> None:
    await subscribed(lite, events=["job.archived"])
    job = await made(lite, host.gives("/1.png", BAD))
    archiver, started = works(), clock()
    for _ in SCHEDULE:
        clock.now = (await owed(lite))[0].due_at
        await archiver.run()
    (row,) = await owed(lite)
    assert (row.status, row.attempt_count, row.due_at) == ("failed", len(SCHEDULE), None)
    assert row.last_error == "the answer is HTTP 500"
    assert 19 * HOUR < clock() - started < 24 * HOUR
    assert host.asked == ["/1.png"] * len(SCHEDULE)
    assert await archived(lite) == 1
    assert (await lite.read(jobs.get, job.id)).warnings == ["image 1 could not be kept: the answer is HTTP 500"]
    assert archiver.files() == []


async def test_jitter_spreads_every_delay_but_the_first(
    lite: Ledger, host: Host, works: Make, clock: FakeClock
) -> None:
    await made(lite, host.gives("/1.png", BAD))
    for jitter, delay in ((0.0, 9 * SECOND), (0.999999, 66 * SECOND)):
        await works(jitter=lambda jitter=jitter: jitter).run()
        due = (await owed(lite))[0].due_at
        assert abs(due - clock() - delay) <= 1
        clock.now = due


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("http://10.0.0.1/a.png", "10.0.0.1 is private"),
        ("file:///etc/passwd", "the URL's scheme is not https or http"),
        ("", "the URL"),
    ],
)
async def test_what_the_guard_refuses_is_refused_for_good(lite: Ledger, works: Make, path: str, reason: str) -> None:
    await made(lite, path)
    await works().run()
    (row,) = await owed(lite)
    assert row.status == "failed"
    assert reason in row.last_error


async def test_an_image_that_is_too_large_leaves_nothing(lite: Ledger, host: Host, works: Make) -> None:
    await made(lite, host.gives("/1.png"))
    archiver = works(max_size=100)
    await archiver.run()
    (row,) = await owed(lite)
    assert (row.status, row.last_error) == ("failed", "the image has more than 100 bytes")
    assert archiver.files() == []


async def test_the_quota_is_for_all_images_together(lite: Ledger, host: Host, works: Make, clock: FakeClock) -> None:
    size = len(PNG)
    job = await made(lite, *(host.gives(f"/{number}.png") for number in range(5)))
    archiver = works(quota=2 * size + 10)
    await archiver.run()
    states = [row.status for row in await owed(lite)]
    assert sorted(states) == ["pending"] * 3 + ["stored"] * 2
    assert await lite.read(used) == 2 * size
    assert len(archiver.files()) == 2
    assert {row.last_error for row in await owed(lite) if row.status == "pending"} == {FULL}

    full = works(quota=2 * size)
    clock.advance(11 * SECOND)
    asked = len(host.asked)
    await full.run()
    assert len(host.asked) == asked  # what cannot be kept is not even fetched
    assert {row.attempt_count for row in await owed(lite) if row.status == "pending"} == {2}

    clock.advance(2 * MINUTE)
    await works(quota=5 * size).run()
    assert {row.status for row in await owed(lite)} == {"stored"}
    assert (await lite.read(jobs.get, job.id)).warnings == []


async def test_no_more_at_once_than_there_is_room_for(lite: Ledger, host: Host, works: Make) -> None:
    await made(lite, *(host.gives(f"/{number}.png") for number in range(MAX_CLAIMED + 3)))
    archiver = works()
    await archiver.begin()
    assert [row.status for row in await owed(lite)].count("copying") == MAX_CLAIMED
    assert await archiver.begin() is None
    await archiver.finish()
    await archiver.run()
    assert {row.status for row in await owed(lite)} == {"stored"}


async def test_no_more_are_copied_at_once_of_those_that_are_claimed(
    lite: Ledger, host: Host, works: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, seen = 0, set()

    async def slow(*asked: Any) -> Copy:
        nonlocal busy
        busy += 1
        seen.add(busy)
        await asyncio.sleep(0.01)
        busy -= 1
        raise NotCopied("it is slow")

    monkeypatch.setattr("receiver.archiver.download", slow)
    await made(lite, *(host.gives(f"/{number}.png") for number in range(MAX_COPIES + 3)))
    await works().run()
    assert max(seen) == MAX_COPIES
    assert {row.last_error for row in await owed(lite)} == {"it is slow"}


async def test_a_host_that_drips_is_left_at_the_deadline(lite: Ledger, host: Host, works: Make) -> None:
    await made(lite, host.gives("/1.png", dripping))
    archiver = works(timeout=200)
    await archiver.run()
    (row,) = await owed(lite)
    assert (row.status, row.last_error) == ("pending", "it was not copied within 200 ms")
    assert archiver.files() == []


class Broken(Folder):
    """A storage that takes and gives nothing away."""

    fault: Exception = StorageError("secret detail of the disk")

    async def keep(self, draft: Path, name: str, media_type: str) -> None:
        raise self.fault

    async def open(self, name: str) -> AsyncIterator[bytes]:
        raise self.fault

    async def delete(self, name: str) -> None:
        raise self.fault


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (StorageError("detail"), "artifact storage could not take it; the log says why"),
        (RuntimeError("detail"), "something went wrong on our side; the log says what"),
    ],
)
async def test_what_goes_wrong_on_our_side_is_tried_again_and_not_told(
    lite: Ledger, host: Host, works: Make, tmp_path: Path, fault: Exception, told: str
) -> None:
    await made(lite, host.gives("/1.png"))
    broken = Broken(tmp_path / "artifacts")
    broken.fault = fault
    archiver = works(storage=broken)
    await archiver.run()
    (row,) = await owed(lite)
    assert (row.status, row.last_error, row.attempt_count) == ("pending", told, 1)
    assert archiver.files() == []


async def test_an_erased_job_loses_its_files(lite: Ledger, host: Host, works: Make) -> None:
    job = await made(lite, host.gives("/1.png"), host.gives("/2.png", BAD))
    other = await made(lite, host.gives("/3.png"), model="flux-dev")
    archiver = works()
    await archiver.run()
    await lite.write(erase, job.id)
    await archiver.run()
    (row,) = await owed(lite)
    assert row.job_id == other.id
    assert [path.name for path in archiver.files()] == [row.id]


async def test_a_job_erased_while_its_image_is_copied_leaves_nothing(
    lite: Ledger, host: Host, works: Make, clock: FakeClock
) -> None:
    job = await made(lite, host.gives("/1.png"))
    archiver = works()
    await archiver.begin()
    await lite.write(erase, job.id)
    await archiver.finish()
    assert await archiver.run() == clock() + ROUNDS * COPY_TIMEOUT + LEASE_MARGIN
    clock.advance(ROUNDS * COPY_TIMEOUT + LEASE_MARGIN)
    await archiver.run()
    assert (await owed(lite), archiver.files()) == ([], [])


async def test_a_file_that_cannot_be_deleted_is_not_forgotten(
    lite: Ledger, works: Make, tmp_path: Path, clock: FakeClock
) -> None:
    job = await made(lite, "http://10.0.0.1/a.png")
    await lite.write(erase, job.id)
    broken: Storage = Broken(tmp_path / "artifacts")
    await works(storage=broken).run()
    assert [row.status for row in await owed(lite)] == ["discarded"]
    clock.advance(ROUNDS * COPY_TIMEOUT + LEASE_MARGIN)
    await works().run()
    assert await owed(lite) == []


async def test_a_copy_that_cannot_be_recorded_is_made_again(
    lite: Ledger, host: Host, works: Make, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(lite, host.gives("/1.png"))
    archiver = works()
    await archiver.begin()
    with monkeypatch.context() as broken:

        def away(*_: object, **__: object) -> list[str | None]:
            raise Unavailable("the disk is full")

        broken.setattr(copies, "settle", away)
        await archiver.finish()
    assert [row.status for row in await owed(lite)] == ["copying"]
    clock.advance(ROUNDS * COPY_TIMEOUT + LEASE_MARGIN)
    await archiver.run()
    assert [(row.status, row.attempt_count, row.lease) for row in await owed(lite)] == [("stored", 1, 2)]
    assert len(archiver.files()) == 1
