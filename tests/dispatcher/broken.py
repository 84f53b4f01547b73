"""A database that fails when a test tells it to."""

from typing import Any

from ledger.database import Database, Work


class Broken:
    """Passes everything on, but raises `error` instead of writing while there is one. `writing` counts what runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.error: Exception | None = None
        self.writing = 0

    async def write(self, work: Work[Any]) -> Any:
        if self.error is not None:
            raise self.error
        self.writing += 1
        try:
            return await self._database.write(work)
        finally:
            self.writing -= 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)
