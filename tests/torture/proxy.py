"""A TCP proxy that spoils connections: late, cut, half closed, or with garbage for an answer."""

import asyncio
import contextlib
import random
from collections import Counter

from e2e.wire import Stage

KINDS = ("delay", "refuse", "cut", "half-close", "garbage")
"""`refuse` ends the connection before a byte is passed on, `cut` when the other side has answered; the answer is lost.
`half-close` ends our side of the answer at once and keeps the rest open. `garbage` is an answer that is no HTTP."""

DELAY_SECONDS = 0.5
LONGEST_SECONDS = 30


class Proxy:
    """Listens on a port of 127.0.0.1 and passes connections on to another, spoiling `share` of them.

    Which of them, and how, depends on the seed and on their order alone. `done` counts what was done.
    """

    def __init__(
        self, stage: Stage, target: int, seed: str, share: float = 0.5, kinds: tuple[str, ...] = KINDS
    ) -> None:
        self._stage = stage
        self._target = target
        self._chance = random.Random(seed)
        self._share = share
        self._kinds = kinds
        self._serving: set[asyncio.Task[None] | None] = set()
        self.done: Counter[str] = Counter()
        self._server = stage.call(asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=512))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def faults(self) -> int:
        """How many connections were spoiled."""
        return sum(count for kind, count in self.done.items() if kind != "passed")

    def heal(self) -> None:
        """From now on every connection is passed on."""
        self._share = 0

    def close(self) -> None:
        self._stage.call(self._close())

    async def _close(self) -> None:
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoiled, kind = self._chance.random() < self._share, self._chance.choice(self._kinds)
        kind = kind if spoiled else "passed"
        self.done[kind] += 1
        task = asyncio.current_task()
        self._serving.add(task)  # asyncio itself holds on to it but loosely
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._serve(kind, reader, writer)
        except (OSError, TimeoutError):
            pass  # the other side, or whoever asked, was killed
        finally:
            self._serving.discard(task)
            writer.transport.abort() if kind in ("refuse", "cut") else writer.close()

    async def _serve(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if kind == "refuse":
            return
        if kind == "delay":
            await asyncio.sleep(DELAY_SECONDS)
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        passing = asyncio.create_task(_pump(reader, back))
        try:
            if kind == "half-close":
                writer.write_eof()
            answer = await there.read()  # each exchange has a connection of its own
            if kind == "garbage":
                answer = bytes(self._chance.randrange(256) for _ in range(200))
            if kind not in ("cut", "half-close"):
                writer.write(answer)
                await writer.drain()
        finally:
            passing.cancel()
            back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while content := await reader.read(65_536):
            writer.write(content)
            await writer.drain()
