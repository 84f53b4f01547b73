"""The loop that prunes: a batch at a time, with pauses, then a rest."""

import asyncio
from pathlib import Path

import pytest
from builders import FakeClock, count, done, owe, subscribed
from structlog.testing import capture_logs

from ledger import retention
from ledger.clock import DAY, HOUR, MINUTE
from ledger.ledger import Ledger
from ledger.schema import jobs
from postback.retention import EVERY, PAUSE, SHARE, Retention
from tests.api.stage import served, settings

from .pruning import KEEP, deliver, filled

pytestmark = pytest.mark.anyio


async def test_batches_with_pauses_then_a_rest(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    subscriber = await subscribed(ledger)
    for _ in range(5):
        await done(ledger)
    await owe(ledger, subscriber.id)
    await deliver(ledger)
    clock.advance(KEEP + 1)
    began, heard, passes = clock(), [], 0
    loop = Retention(ledger, KEEP, on_erased=lambda: heard.append(clock()))
    with capture_logs() as logs:
        while (due := await loop.run_once(clock())) < began + MINUTE:
            assert due == clock() + PAUSE
            assert await loop.run_once(due - 1) == due, "called too early, it does nothing"
            clock.now = due
            passes += 1
    assert passes == 3 + 1 + 1, "three for the jobs, one for each other kind but the last"
    assert heard == [began + number * PAUSE for number in range(4)]
    assert logs == [{"event": "pruned", "log_level": "info", "jobs": 5, "notices": 1}]
    assert await filled(ledger) == set()
    clock.now = due
    await loop.run_once(due)
    assert await loop.run_once(due + PAUSE) == due + 2 * PAUSE, "it looks again"


async def test_the_more_a_batch_costs_the_longer_the_pause(ledger: Ledger, clock: FakeClock) -> None:
    class Slow(Ledger):
        async def write(self, *given):  # type: ignore[no-untyped-def]
            clock.advance(300)
            return await super().write(*given)

    loop = Retention(Slow(ledger.database, clock=clock), KEEP, on_erased=lambda: None)
    assert await loop.run_once(clock()) == clock() + SHARE * 300


async def test_hosts_are_looked_through_once_a_day(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert EVERY == {"jobs": MINUTE, "notices": MINUTE, "subscribers": MINUTE, "lanes": DAY}
    for kind in ("jobs", "notices", "subscribers"):
        monkeypatch.setitem(EVERY, kind, HOUR)  # the same, with fewer looks
    asked: list[int] = []

    class Watched(Ledger):
        async def write(self, work, *given):  # type: ignore[no-untyped-def]
            asked.extend([clock()] if work is retention.prune_lanes else [])
            return await super().write(work, *given)

    began = clock()
    loop = Retention(Watched(ledger.database, clock=clock), KEEP, on_erased=lambda: None)
    while clock() <= began + DAY + MINUTE:
        clock.now = await loop.run_once(clock())
    assert [round((at - began) / DAY, 1) for at in asked] == [0, 1]


async def test_a_process_prunes_by_itself(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> None:
    clock = FakeClock()
    async with served(settings(tmp_path, sqlite_url), frozenset({"forwarder"}), clock) as stage:
        await done(stage.ledger)
        clock.advance(KEEP + MINUTE)
        async with asyncio.timeout(30):
            while await count(stage.ledger, jobs):
                await asyncio.sleep(0)


async def test_zero_keeps_all(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> None:
    async with served(settings(tmp_path, sqlite_url, retention="0"), frozenset({"forwarder"})) as stage:
        assert "forwarder" in stage.house._runners
        assert "retention" not in stage.house._runners
