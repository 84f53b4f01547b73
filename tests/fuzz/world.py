"""The application on a ledger in memory, which is the same again before each request."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ledger.keys import SecretKeys
from ledger.ledger import Ledger
from postback.app import create_app
from postback.house import House
from providers.jsontext import dumps, loads
from receiver.courier import Courier
from tests.api.door import Door
from tests.api.stage import API_KEY, FRONT, ORDER, SECRET_KEYS, finished, settings

from .memory import Memory

NOW = 1_700_000_000_000
HOOK = {"url": "https://example.com/hook", "events": ["*"], "headers": {"x-a": "b"}}
LISTS = ("jobs", "subscribers", "callbacks", "notifications", "deliveries")

Headers = Sequence[tuple[bytes, bytes]]


class Closed(House):
    """A house that sends nothing out."""

    def courier(self) -> Courier:
        return Courier(self.keys, Door())


class World:
    """A subscriber, a job that waits, and one that is done with all that belongs to it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._memory = Memory()
        # Of PostgreSQL there is no copy to download, and here is no file.
        given = settings(Path(tempfile.gettempdir()) / "nowhere", "postgresql://nowhere/nothing")
        house = Closed(given, FRONT, Ledger(self._memory, clock=lambda: NOW), SecretKeys([SECRET_KEYS]), API_KEY)
        self._app = create_app(house)
        self._names: dict[bytes, bytes] = {}
        self._before = self._memory.look()
        self._fill(house)

    def ask(self, method: str, target: bytes, headers: Headers, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises what the application raises."""
        self._memory.put_back(self._before)
        for name, there in self._names.items():
            target = target.replace(name, there)
        return self._loop.run_until_complete(self._ask(method, target, headers, body))

    def _fill(self, house: House) -> None:
        self._make("/v1/subscribers", HOOK)
        jobs = {"token": self._make("/v1/jobs", ORDER)["id"], "used": self._make("/v1/jobs", ORDER)["id"]}
        tokens = {name: house.tokens.mint(job, "dashscope") for name, job in jobs.items()}
        self._make(f"/callbacks/{tokens['used']}", finished())
        ids = {name: loads(self.ask("GET", f"/v1/{name}".encode(), [], b"")[1])["data"][0]["id"] for name in LISTS}
        self._names = {f"{{{name}}}".encode(): str(there).encode() for name, there in (tokens | ids).items()}

    def _make(self, target: str, body: Any) -> Any:
        status, answer = self.ask("POST", target.encode(), [], dumps(body))
        assert 200 <= status < 300, answer
        self._before = self._memory.look()
        return loads(answer)

    async def _ask(self, method: str, target: bytes, headers: Headers, body: bytes) -> tuple[int, bytes]:
        path, _, query = target.partition(b"?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "server": ("postback.test", 80),
            "method": method,
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "headers": [(b"authorization", f"Bearer {API_KEY}".encode()), *headers],
        }
        # In two parts, and then the client is gone: what goes on for ever ends, too.
        half = len(body) // 2
        coming = [
            {"type": "http.request", "body": body[:half], "more_body": True},
            {"type": "http.request", "body": body[half:], "more_body": False},
        ]
        said: list[Any] = []

        async def receive() -> Any:
            return coming.pop(0) if coming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)

        await self._app(scope, receive, send)
        return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:])
