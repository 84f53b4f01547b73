"""The baseline of accepting, as one would write it in an afternoon: each callback in a transaction of its own.

Starlette and aiosqlite, one connection, one lock, one commit a request. It does the same work on the same tables,
durably (`synchronous=FULL`), and leaves out what is ours: no signed token, no batch, no lifecycle. Arguments: its port,
and the database's file.
"""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosqlite
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, task_id TEXT, status TEXT, result TEXT);
CREATE TABLE IF NOT EXISTS callbacks (id TEXT PRIMARY KEY, task_id TEXT, received_at REAL, body BLOB);
CREATE TABLE IF NOT EXISTS notifications (id TEXT PRIMARY KEY, task_id TEXT, created_at REAL, body BLOB);
CREATE TABLE IF NOT EXISTS deliveries (id TEXT PRIMARY KEY, notification_id TEXT, status TEXT, due_at REAL);
CREATE INDEX IF NOT EXISTS jobs_by_task ON jobs (task_id);
"""


class Store:
    """One connection, one writer at a time, one commit a callback."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        await self._connection.executescript(SCHEMA)
        await self._connection.execute("PRAGMA synchronous = FULL")

    async def save(self, body: bytes) -> None:
        task_id = json.loads(body)["task_id"]
        now = time.time()
        notification = str(uuid.uuid4())
        run = self._connection.execute
        async with self._lock:
            await run("INSERT INTO callbacks VALUES (?, ?, ?, ?)", (str(uuid.uuid4()), task_id, now, body))
            await run("INSERT OR IGNORE INTO jobs VALUES (?, ?, 'pending', NULL)", (str(uuid.uuid4()), task_id))
            await run("UPDATE jobs SET status = 'succeeded', result = ? WHERE task_id = ?", (body, task_id))
            await run("INSERT INTO notifications VALUES (?, ?, ?, ?)", (notification, task_id, now, body))
            await run("INSERT INTO deliveries VALUES (?, ?, 'pending', ?)", (str(uuid.uuid4()), notification, now))
            await self._connection.commit()


def create_app(path: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Store]]:
        async with aiosqlite.connect(path) as connection:
            store = Store(connection)
            await store.prepare()
            yield {"store": store}

    async def receive(request: Request) -> Response:
        await request.state.store.save(await request.body())
        return JSONResponse({"ok": True})

    return Starlette(routes=[Route("/callbacks/{token}", receive, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[2]), port=int(sys.argv[1]), access_log=False, log_level="warning")
