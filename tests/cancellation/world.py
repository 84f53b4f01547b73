"""One process of Postback whose loops a test drives by hand, the web around it, and a look at all that it remembers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2 as httpx
from sqlalchemy import Connection, literal, select

from ledger.database import Database, Work
from ledger.ledger import Ledger
from ledger.schema import schema
from postback.simulator.images import png
from tests.api.stage import API_KEY, Stage, served, settings

TELLING = ("status", "verdict", "type", "trigger", "lease", "attempt_count", "sending", "number", "sequence", "enabled")
"""Columns that say how far something has come; ids and times differ from run to run."""

Remembered = Mapping[str, Counter[tuple[Any, ...]]]


@dataclass
class World:
    """`web` is the address of a host that takes every POST and has an image everywhere."""

    stage: Stage
    web: str
    folder: Path
    spawned: list[Coroutine[Any, Any, Any]] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        return self.stage.ledger

    async def pass_and_work(self, loop: Any) -> None:
        """One pass of a loop and all that it starts, one after the other."""
        await loop.run_once(self.ledger.clock())
        while self.spawned:
            await self.spawned.pop(0)

    def drop_spawned(self) -> None:
        """What a cancelled pass had started and nobody awaits any more."""
        while self.spawned:
            self.spawned.pop().close()

    async def ask(self, said: list[int], method: str, path: str, body: Any = None, *, key: bool = True) -> None:
        """Sends one request into the application itself; the status of its answer is added to `said` when it leaves."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = [(b"host", b"postback.test"), (b"content-type", b"application/json")]
        headers += [(b"authorization", f"Bearer {API_KEY}".encode())] if key else []
        headers += [(b"content-length", str(len(content)).encode())]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("postback.test", 80),
        }

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                said.append(message["status"])
            await asyncio.sleep(0)

        await self.stage.app(scope, receive, send)


class Watching:
    """A database that notes what is remembered after each commit."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.seen: list[Remembered] = []

    async def write(self, work: Work[Any]) -> Any:
        answer = await self.database.write(work)
        self.seen.append(await self.database.read(remembered))
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)


def remembered(connection: Connection) -> Remembered:
    """How many rows of each table have come how far."""
    found = {}
    for table in schema.sorted_tables:
        if table.name not in ("facts", "paces"):
            telling = [column for column in table.c if column.name in TELLING] or [literal(1)]
            rows = connection.execute(select(*telling).select_from(table))
            found[table.name] = Counter(tuple(row) for row in rows)
    return found


def forget(connection: Connection) -> None:
    """Empties every table but what the schema and the keys are known by."""
    for table in reversed(schema.sorted_tables):
        if table.name != "facts":
            connection.execute(table.delete())


def says(answer: Any) -> httpx.MockTransport:
    """A provider that answers everything so."""
    return httpx.MockTransport(lambda request: httpx.Response(200, json=answer))


@asynccontextmanager
async def opened(folder: Path, database_url: str) -> AsyncIterator[World]:
    """A world on that database, migrated. Nothing in it moves by itself."""
    server = await asyncio.start_server(_host, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    given = settings(folder, database_url, allow_networks=(ip_network("127.0.0.0/8"),))
    try:
        async with served(given) as stage:
            yield World(stage, f"http://127.0.0.1:{port}", folder)
    finally:
        server.close()


async def _host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    image = png("one")
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b"0"
        )
        await reader.readexactly(int(length))
        fields = f"content-type: image/png\r\ncontent-length: {len(image)}\r\nconnection: close\r\n\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + fields.encode() + image)
        await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # whoever asked was cancelled
    finally:
        writer.close()
