"""The archiver as a test drives it: pass by pass, on a clock that only the test moves."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from builders import FakeClock, pending, rows, succeeded
from sqlalchemy import Row

from ledger import jobs
from ledger.accept import Arrival, accept
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.schema import artifacts
from receiver.archiver import Archiver
from receiver.egress import Egress
from receiver.storage import Storage

NO_JITTER = 0.5


def link(artifact_id: str) -> str:
    return f"https://hooks.example/artifacts/{artifact_id}/signed"


async def made(ledger: Ledger, *urls: str, **changes: Any) -> Job:
    """A job that has just succeeded with these images, which are owed."""
    job = await pending(ledger, **changes)
    arrival = Arrival(job.id, job.provider, {}, b"{}", succeeded(*urls))
    assert await ledger.write(accept, [arrival], archive=True) == ["accepted"]
    return await ledger.read(jobs.get, job.id)


async def owed(ledger: Ledger) -> Sequence[Row[Any]]:
    return await rows(ledger, artifacts)


class Works:
    """An archiver, its storage and what it has spawned."""

    def __init__(
        self, ledger: Ledger, clock: FakeClock, egress: Egress, storage: Storage, folder: Path, **changes: Any
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.storage = storage
        self.folder = folder
        self.settled = 0
        self.told = 0
        self._started: list[Coroutine[Any, Any, None]] = []
        given: dict[str, Any] = {"max_size": 100_000, "quota": 0, "jitter": lambda: NO_JITTER, "link": link}
        self.archiver = Archiver(
            ledger,
            egress,
            storage,
            spawn=self._started.append,
            on_settled=self._settled,
            on_told=self._told,
            **(given | changes),
        )

    async def run(self) -> int | None:
        """One pass and everything that it starts; returns when the next is due."""
        due = await self.begin()
        await self.finish()
        return due

    async def begin(self) -> int | None:
        """One pass; what it starts waits for `finish`."""
        return await self.archiver.run_once(self.clock())

    async def finish(self) -> None:
        started, self._started[:] = list(self._started), []
        await asyncio.gather(*started)

    async def kept(self, artifact_id: str) -> bytes:
        """What storage has under that name."""
        return b"".join([chunk async for chunk in await self.storage.open(artifact_id)])

    def files(self) -> list[Path]:
        """Every file in the folder, drafts included."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def _settled(self) -> None:
        self.settled += 1

    def _told(self) -> None:
        self.told += 1
