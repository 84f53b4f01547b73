"""A small HTTP/1.1 server for stand-ins: exact bytes go out, and connections can be refused or cut.

It knows nothing of Postback. Everything on a stage runs in one event loop, in a thread of its own.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back, after `delay` seconds."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0


CUT = None
"""In place of a reply: the connection ends after the request was read."""

Answer = Callable[[Request], Awaitable[Reply | None]]


def reply(document: Any, status: int = 200, **options: Any) -> Reply:
    """A reply in JSON."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return Reply(status, body, (("Content-Type", "application/json"),), **options)


class Stage:
    """The thread in which all stand-ins live."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T], within: float = 10) -> T:
        """Runs work on the stage and returns its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within)

    def close(self) -> None:
        """Ends all that still runs there."""
        self.call(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Wire:
    """A listening port of 127.0.0.1, the same for its whole life. Each connection carries one exchange."""

    def __init__(self, stage: Stage, answer: Answer) -> None:
        self._stage = stage
        self._answer = answer
        self.port = 0
        self._server = stage.call(self._open())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """From now on connections are refused."""
        self._stage.call(self._close())

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Connections are refused inside the block."""
        self.close()
        try:
            yield
        finally:
            self._server = self._stage.call(self._open())

    async def _open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _close(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            answer = await self._answer(request)
            if answer is not None:
                await asyncio.sleep(answer.delay)
                writer.write(_written(answer))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked was killed
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    url = urlsplit(target)
    return Request(method, unquote(url.path), dict(parse_qsl(url.query)), headers, body, time.monotonic())


def _written(answer: Reply) -> bytes:
    fields = (*answer.headers, ("Content-Length", str(len(answer.body))), ("Connection", "close"))
    head = f"HTTP/1.1 {answer.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    return head.encode("latin-1") + b"\r\n" + answer.body


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
