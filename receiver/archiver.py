"""Copies result images into storage before their provider deletes them, and deletes the copies of erased jobs."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from ledger import artifacts, copies
from ledger.batch import Batch
from ledger.clock import HOUR, MINUTE, SECOND
from ledger.copies import FULL, Copy, Settlement
from ledger.errors import Unavailable
from ledger.job import Link
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.room import Room
from receiver.download import NotCopied, download
from receiver.egress import Egress
from receiver.schedule import JITTER
from receiver.storage import Storage, StorageError

log = structlog.get_logger()

SCHEDULE = (0, 10 * SECOND, 1 * MINUTE, 10 * MINUTE, 1 * HOUR, 6 * HOUR, 12 * HOUR)
"""The delay before each try: the last comes before the 24 hours are over that providers keep images."""

ANSWER_TIMEOUT = 2 * MINUTE
"""For the egress: one answer, connect to last byte."""

COPY_TIMEOUT = 5 * MINUTE
"""A whole try, with redirects and storing."""

LEASE_MARGIN = 15 * SECOND
MAX_COPIES = 16
"""Images at once. Many that fail at the same moment would keep the event loop from deliveries."""

ROUNDS = 4
MAX_CLAIMED = ROUNDS * MAX_COPIES
"""Images that are claimed at once: to claim and to record many costs the database what few cost."""

PATIENCE = 20
"""How many hundredths of a second the first copy waits for the others, to be recorded with them."""

_QUEUE = "artifacts"

Spawn = Callable[[Coroutine[Any, Any, bool]], None]
"""Runs a coroutine beside the loop, and calls the loop again when it returns True."""


class Archiver:
    """One loop: claims due artifacts as long as there is room, and copies each beside the others.

    `max_size` bounds one image, `quota` all that are kept together (0 is no limit), in bytes; `timeout` is in
    milliseconds. `link` gives an artifact its URL. `on_settled` is called after each try, and `on_told` when there is
    something to notify.
    """

    def __init__(
        self,
        ledger: Ledger,
        egress: Egress,
        storage: Storage,
        *,
        link: Link,
        max_size: int,
        quota: int,
        spawn: Spawn,
        schedule: Sequence[int] = SCHEDULE,
        timeout: int = COPY_TIMEOUT,
        on_settled: Callable[[], None] = lambda: None,
        on_told: Callable[[], None] = lambda: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._egress = egress
        self._storage = storage
        self._link = link
        self._max_size = max_size
        self._quota = quota
        self._spawn = spawn
        self._schedule = schedule
        self._timeout = timeout
        self._on_settled = on_settled
        self._on_told = on_told
        self._jitter = jitter
        self._room = Room(MAX_CLAIMED)
        self._places = asyncio.Semaphore(MAX_COPIES)
        # The images of a job are told of together when the last is copied, so the first may wait for the others.
        self._settle = Batch(ledger, self._record, coming=lambda: self._room.busy, patience=PATIENCE)
        self._full = False

    async def run_once(self, now: int) -> int | None:
        """Starts what is due, and returns when it wants to be called again."""
        room = self._room.look()
        self._full = not room
        if self._full:
            return None  # a copy that ends calls again
        claim = await self._ledger.write(copies.claim, limit=room, lease=ROUNDS * self._timeout + LEASE_MARGIN)
        self._room.take(_QUEUE for _ in claim.rows)
        self._full = claim.full
        for row in claim.rows:
            self._spawn(self._work(row))
        return claim.next_due

    async def _work(self, row: Any) -> bool:
        try:
            await (self._discard(row) if row.status == "discarded" else self._copy(row))
        except Unavailable as error:
            # The lease runs out and the artifact is due again.
            log.warning("artifact_not_recorded", artifact_id=row.id, reason=str(error))
        finally:
            self._room.leave(_QUEUE)
        return self._full and await self._room.asks(_QUEUE)

    async def _copy(self, row: Any) -> None:
        copy, error, final = None, None, False
        try:
            async with self._places:
                copy = await self._keep(row)
        except NotCopied as failure:
            error, final = failure.reason, failure.final
        except Exception:
            # A try all the same, or an image that we cannot cope with would be tried for ever.
            log.exception("copy_failed", artifact_id=row.id)
            error = "something went wrong on our side; the log says what"
        tried = row.attempt_count + 1
        due_at = None if final else self._next_try(tried)
        status, told = await self._settle.add(Settlement(row.id, row.job_id, row.lease, copy, error, due_at))
        log.info("artifact", artifact_id=row.id, job_id=row.job_id, number=tried, outcome=status, error=error)
        if copy is not None and status in ("pending", "failed"):  # there was no room for it
            await self._delete(row.id)
        self._on_settled()
        if told:
            self._on_told()

    async def _keep(self, row: Any) -> Copy:
        draft = self._draft(row.id)
        try:
            async with asyncio.timeout(self._timeout / SECOND):
                if self._quota and await self._ledger.read(artifacts.used) >= self._quota:
                    raise NotCopied(FULL)
                copy = await download(self._egress, row.source_url, draft, self._max_size)
                await self._storage.keep(draft, row.id, copy.media_type)
                return copy
        except TimeoutError:
            raise NotCopied(f"it was not copied within {self._timeout} ms") from None
        except StorageError as error:
            # What it says of our own storage is not for those who read the job.
            log.warning("artifact_not_stored", artifact_id=row.id, reason=str(error))
            raise NotCopied("artifact storage could not take it; the log says why") from None
        finally:
            await asyncio.to_thread(draft.unlink, missing_ok=True)

    async def _discard(self, row: Any) -> None:
        await asyncio.to_thread(self._draft(row.id).unlink, missing_ok=True)
        if await self._delete(row.id):
            await self._ledger.write(copies.forget, row.id, row.lease)
            log.info("artifact", artifact_id=row.id, job_id=row.job_id, outcome="deleted")

    async def _delete(self, artifact_id: str) -> bool:
        try:
            await self._storage.delete(artifact_id)
        except StorageError as error:
            log.warning("artifact_not_deleted", artifact_id=artifact_id, reason=str(error))
            return False
        return True

    def _draft(self, artifact_id: str) -> Path:
        return self._storage.drafts / artifact_id

    def _next_try(self, tried: int) -> int | None:
        """When it is tried again after so many tries, give or take 10 %; None: never."""
        if tried >= len(self._schedule):
            return None
        return self._ledger.clock() + round(self._schedule[tried] * (1 - JITTER + 2 * JITTER * self._jitter()))

    def _record(
        self, connection: Connection, moment: Moment, settlements: Sequence[Settlement]
    ) -> Sequence[copies.Settled]:
        return copies.settle(connection, moment, settlements, quota=self._quota, link=self._link)
