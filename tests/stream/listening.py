"""A client of `GET /v1/stream` at the ASGI seam: the answer is seen as it comes, and the client can leave."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message

from tests.api.stage import API_KEY

PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Told:
    """One event; `data` is the notification."""

    id: str
    event: str
    data: Any


@dataclass
class Listening:
    """A request under way. Use `async with`; at the end the client leaves, and nothing may be left running."""

    app: ASGIApp
    last_event_id: str | None = None
    method: str = "GET"
    query: dict[str, str] = field(default_factory=dict)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""

    async def __aenter__(self) -> "Listening":
        self._changed, self._gone = asyncio.Condition(), asyncio.Event()
        self._over = False
        self._asked = False
        self._task = asyncio.create_task(self.app(self._scope(), self._receive, self._send))
        await self.until(lambda: bool(self.headers))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        async with asyncio.timeout(PATIENCE):
            await self._task

    @property
    def events(self) -> list[Told]:
        """The events that came completely."""
        found = []
        for block in self.text.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if "data" in fields:
                found.append(Told(fields["id"], fields["event"], json.loads(fields["data"])))
        return found

    @property
    def ids(self) -> list[str]:
        """The ids of the notifications that came."""
        return [one.data["id"] for one in self.events]

    @property
    def place(self) -> str:
        """What a browser would send as Last-Event-ID."""
        blocks = self.text.split("\n\n")[:-1]
        return [line[4:] for block in blocks for line in block.split("\n") if line.startswith("id: ")][-1]

    async def until(self, met: Any) -> None:
        """Waits until something holds of what came."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(met)

    async def count(self, number: int) -> list[str]:
        """The ids, once there are that many."""
        await self.until(lambda: len(self.events) >= number)
        return self.ids

    async def end(self) -> None:
        """Waits until the server has ended the answer by itself."""
        await self.until(lambda: self._over)

    def _scope(self) -> dict[str, Any]:
        headers = [(b"authorization", f"Bearer {API_KEY}".encode())]
        if self.last_event_id is not None:
            headers.append((b"last-event-id", self.last_event_id.encode("latin-1")))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": "/v1/stream",
            "raw_path": b"/v1/stream",
            "query_string": urlencode(self.query).encode(),
            "headers": headers,
            "server": ("postback.test", 80),
            "client": ("127.0.0.1", 1),
        }

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        async with self._changed:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self.text += message.get("body", b"").decode("ascii")
                self._over = not message.get("more_body", False)
            self._changed.notify_all()
