"""Serves the simulator: alone by `run`, or inside another program by `config`."""

import asyncio
import socket
import sys
from contextlib import suppress

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from postback.simulator.app import create_app, environment
from postback.simulator.wire import HANG_UP
from postback.simulator.world import World


class _HangingUp(HttpToolsProtocol):
    """Lets the app close its connection, for prompts with `[cut]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def extended(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = {**scope.get("extensions", {}), HANG_UP: transport.close}
            await app({**scope, "extensions": extensions}, receive, send)

        self.app = extended


def config(world: World, *, log_level: str = "warning") -> uvicorn.Config:
    """How to serve a world: `uvicorn.Server(config(World())).run(sockets=[listen(host, port)])`."""
    return uvicorn.Config(
        create_app(world),
        http=_HangingUp,
        log_level=log_level,
        access_log=False,
        timeout_graceful_shutdown=2,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError if the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    # asyncio sets it only on sockets it made itself; without it a kept connection waits 40 ms for each answer.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url(listening: socket.socket) -> str:
    """Where a listening socket can be reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(host: str = "127.0.0.1", port: int = 8415, world: World | None = None) -> None:
    """Serves until interrupted, after printing the variables to export. Raises OSError if the port is taken."""
    with listen(host, port) as listening:
        base = url(listening)
        for name, value in environment(base).items():
            sys.stdout.write(f"export {name}={value}\n")
        sys.stdout.flush()
        sys.stderr.write(f"Simulating DashScope and AceData; any key will do. What a prompt can ask for: {base}/\n")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config(world or World())).run(sockets=[listening])
