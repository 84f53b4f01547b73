"""What stands in front of several receivers: takes each connection to one of them in turn, past those that are down."""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence

from e2e.wire import Stage


class Balancer:
    """Listens on a port of 127.0.0.1 for as long as its stage is there."""

    def __init__(self, stage: Stage, ports: Sequence[int]) -> None:
        self._stage = stage
        self._ports = ports
        self._first = itertools.cycle(range(len(ports)))
        self._serving: set[asyncio.Task[None] | None] = set()
        self._server = stage.call(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """From now on connections are refused."""
        self._stage.call(self._close())

    async def _close(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)  # asyncio itself holds on to it but loosely
        first = next(self._first)
        try:
            for port in (*self._ports[first:], *self._ports[:first]):
                with contextlib.suppress(OSError):
                    there, back = await asyncio.open_connection("127.0.0.1", port)
                    await asyncio.gather(_pass(reader, back), _pass(there, writer))
                    return
        finally:
            self._serving.discard(task)
            writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side ends; then the other one's connection ends too."""
    try:
        with contextlib.suppress(OSError):
            while content := await reader.read(65_536):
                writer.write(content)
                await writer.drain()
    finally:
        writer.close()
