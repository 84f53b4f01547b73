"""`postback serve`: one process, all roles or some of them."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import FrameType
from typing import Any, cast

import structlog
import uvicorn

from ledger import garbage
from ledger.errors import LedgerError, Unavailable
from postback import keyfiles, logs, sign_in_links
from postback.app import create_app
from postback.house import ROLES, House, open_house
from postback.inbound import BoundedProtocol, most_connections
from postback.setting_types import without_password
from postback.settings import Settings
from postback.shedding import Shedding
from receiver.direct import leave_all

log = structlog.get_logger()

BACKLOG = 1_024
TWICE_SECONDS = 0.5
"""Within which a second signal is the first one again: `timeout` and some terminals send it to process and group."""

GRACEFUL_SECONDS = 5
"""How long a stopping server waits for requests under way before it stops the loops."""


class CannotServe(LedgerError):
    """The address cannot be listened on. The message says what to do."""


def run(settings: Settings, roles: frozenset[str] = ROLES) -> None:
    """Serves until it is told to stop. Raises `CannotServe`, `CannotOpen` and `BadKeys`."""
    logs.configure(settings.log_level, settings.log_format)
    # uvicorn raises the signal that stopped it once more at its end: SIGTERM then ends us as Ctrl-C does, with 0.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listen(settings.host, settings.port) as listening:
        settings = at(settings, listening)
        keyfiles.api_key(settings)  # there before the first answer, for whoever asks at once
        with contextlib.suppress(KeyboardInterrupt):
            _run_loop(serve(settings, roles, listening))


async def serve(settings: Settings, roles: frozenset[str], listening: socket.socket) -> None:
    """Opens the house and answers on a listening socket until told to stop."""
    house = await open_house(settings, roles)
    async with serving(house, listening, on_started=garbage.look_seldom) as server:
        shown = {"url": without_password(settings.url), "public_url": without_password(settings.public_url)}
        log.info("serving", **shown, roles=sorted(roles))
        if "api" in roles and sys.stderr.isatty():
            await _offer_sign_in(house)
        await server.serve(sockets=[listening])


async def _offer_sign_in(house: House) -> None:
    """A line to the person at the terminal, and to nobody else: whoever has the link can do everything."""
    try:
        link = await sign_in_links.make(house)
    except Unavailable:
        return  # said when the first request finds out; `postback sign-in` makes another
    url = without_password(house.settings.url) + link.path
    sys.stderr.write(f"Dashboard: {url} (good once, for 15 minutes)\n")
    sys.stderr.flush()


@contextlib.asynccontextmanager
async def serving(
    house: House,
    listening: socket.socket,
    protocol: type[BoundedProtocol] = BoundedProtocol,
    on_started: Callable[[], None] = lambda: None,
) -> AsyncIterator[uvicorn.Server]:
    """A server for a house; should it never come up, the house is closed all the same. `on_started` is called once
    everything is loaded."""
    waits = {b"/callbacks/": house.intake.wait, b"/v1/jobs": house.recording.wait}
    shedding = Shedding(waits, on_refused=house.metrics.shed)
    app = create_app(house)
    config = uvicorn.Config(
        app,
        lifespan="off",  # the server itself has it begin, after it has begun to answer
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        timeout_keep_alive=75,
        http=cast(
            type[asyncio.Protocol],
            partial(
                protocol,
                refuse=shedding.take,
                take=house.intake.take if "receiver" in house.roles else leave_all,
                most=most_connections(),
            ),
        ),
        ws="none",
    )
    server = _Server(config, house, app.router.lifespan_context(app), on_started)
    house.metrics.watch_connections(lambda: len(server.server_state.connections))
    try:
        yield server
    finally:
        if not server.started:
            await house.stop()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `CannotServe`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotServe(
            f"cannot listen on {host}:{port}: {reason}. "
            "Stop what uses it, or choose another with --port or POSTBACK_PORT"
        ) from None
    except OverflowError:
        raise CannotServe(f"{port} is not a port number; choose one from 0 to 65535") from None
    # asyncio sets it only on sockets it made itself; without it a kept connection waits 40 ms for each answer.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def at(settings: Settings, listening: socket.socket) -> Settings:
    """The settings of who listens there: with port 0 the port, and the URLs that follow from it, come to be known."""
    return settings if settings.port else settings.with_port(listening.getsockname()[1])


class _Server(uvicorn.Server):
    """Starts in order: answers, then loads and starts what callbacks need not wait for. Stops in order: claims nothing
    more, ends the streams (by themselves they never do), waits for requests, and then for the loops."""

    def __init__(
        self,
        config: uvicorn.Config,
        house: House,
        lifespan: AbstractAsyncContextManager[Any],
        on_started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._house = house
        self._lifespan = lifespan
        self._on_started = on_started
        self._living = contextlib.AsyncExitStack()
        self._told = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self.on_tick(0)  # answers have a date from now on
        try:
            await self._living.enter_async_context(self._lifespan)
        except BaseException:
            await self.shutdown(sockets)
            raise
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._house.hush()
        self._house.news.close()
        await super().shutdown(sockets)
        await self._living.aclose()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal stops, the second ends the process at once: whatever is under way survives that, too."""
        now = time.monotonic()
        if not self.should_exit:
            self._told = now
            super().handle_exit(sig, frame)
        elif now - self._told > TWICE_SECONDS:
            sys.stderr.write("Ended at once; the next start goes on from here.\n")
            sys.stderr.flush()
            os._exit(128 + sig)


def _run_loop(main: Coroutine[Any, Any, None]) -> None:
    if sys.platform == "win32":
        asyncio.run(main)
        return
    import uvloop

    uvloop.run(main)
