"""A host of images on 127.0.0.1, which answers what a test says and can misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from postback.simulator.images import png

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]
Answer = bytes | Handler

PNG = png("one")


def answer(body: bytes = PNG, status: int = 200, **headers: str) -> bytes:
    """A whole HTTP answer."""
    fields = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body


class Host:
    """`answers` maps a path to what it gives in turn; the last one stays. Other paths are 404."""

    def __init__(self) -> None:
        self.port = 0
        self.answers: dict[str, list[Answer]] = {}
        self.heard: list[str] = []

    def url(self, path: str, name: str = "127.0.0.1") -> str:
        return f"http://{name}:{self.port}{path}"

    def gives(self, path: str, *answers: Answer) -> str:
        """The URL of a path that answers so."""
        self.answers[path] = list(answers) or [answer()]
        return self.url(path)

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for."""
        return [head.split(" ")[1] for head in self.heard]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
                turns = self.answers.get(self.asked[-1]) or [answer(b"", 404)]
                turn = turns.pop(0) if len(turns) > 1 else turns[0]
                if callable(turn):
                    await turn(writer)
                    return
                writer.write(turn)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


@asynccontextmanager
async def hosting() -> AsyncIterator[Host]:
    """A host that is up."""
    host, running = Host(), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(task := asyncio.current_task())  # type: ignore[arg-type]
        try:
            await host.connected(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            running.discard(task)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    host.port = listening.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        listening.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running)


async def dripping(writer: asyncio.StreamWriter) -> None:
    """Sends a byte at a time, and never all of them."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def cut(writer: asyncio.StreamWriter) -> None:
    """Ends before all has come."""
    writer.write(answer()[:-10])
    await writer.drain()


async def endless(writer: asyncio.StreamWriter) -> None:
    """Says no length, and goes on for as long as anybody reads."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b"1000\r\n" + bytes(0x1000) + b"\r\n")
        await writer.drain()
