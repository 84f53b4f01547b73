"""Web servers that run beside the demo, in its own process and event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn

from ledger.errors import LedgerError
from postback.serve import CannotServe, listen

HOST = "127.0.0.1"


class DidNotStart(LedgerError):
    """A server ended before it could answer."""


def listen_near(port: int) -> socket.socket:
    """Listens on a port of this machine, or on a free one if that is taken. Raises `CannotServe`."""
    try:
        return listen(HOST, port)
    except CannotServe:
        return listen(HOST, 0)


def port_of(listening: socket.socket) -> int:
    """The port that a socket listens on."""
    port: int = listening.getsockname()[1]
    return port


def url_of(listening: socket.socket) -> str:
    """The base URL of what is served on a socket."""
    return f"http://{HOST}:{port_of(listening)}"


@contextlib.asynccontextmanager
async def running(server: uvicorn.Server, listening: socket.socket) -> AsyncIterator[None]:
    """Serves while the block runs. Raises `DidNotStart`."""
    # Several servers in one process: signals are for the demo itself, which ends them in order.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if serving.done():
                raise DidNotStart("a server of the demo did not start; the log says why")
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await serving
