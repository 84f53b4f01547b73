"""Everything that the demo needs running: an echo subscriber, the simulator and Postback itself."""

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from socket import socket

import uvicorn

from postback import logs
from postback.demo.echo import PATH, Echo
from postback.demo.home import Home
from postback.demo.servers import HOST, listen_near, port_of, running, url_of
from postback.demo.voice import Voice
from postback.house import open_house
from postback.serve import serving
from postback.settings import Settings
from postback.simulator import serve as simulator
from postback.simulator.app import ACEDATA_PATH, DASHSCOPE_PATH
from postback.simulator.world import World

POSTBACK_PORT, SIMULATOR_PORT, ECHO_PORT = 8414, 8415, 8416

RETRY_SCHEDULE = "0s,500ms,1s"
"""Short, so that a delivery that fails is given up while somebody looks."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is. URLs have no trailing slash."""

    home: Home
    postback: str
    simulator: str
    webhooks: str
    """The URL to register."""
    api_key: str


@contextlib.asynccontextmanager
async def open_stage(home: Home, echo: Echo, voice: Voice) -> AsyncIterator[Stage]:
    """Starts the servers; at the end stops them, Postback first. Raises `LedgerError` and `BadKeys`."""
    async with contextlib.AsyncExitStack() as servers:
        webhooks = await servers.enter_async_context(_echo(echo, voice))
        providers = await servers.enter_async_context(_simulator(home, voice))
        postback, api_key = await servers.enter_async_context(_postback(home, providers, voice))
        yield Stage(home, postback, providers, webhooks, api_key)


@contextlib.asynccontextmanager
async def _echo(echo: Echo, voice: Voice) -> AsyncIterator[str]:
    with listen_near(ECHO_PORT) as listening:
        url = url_of(listening) + PATH
        config = uvicorn.Config(echo.app(), log_config=None, access_log=False, timeout_graceful_shutdown=1)
        async with running(uvicorn.Server(config), listening):
            _announce(voice, "echo subscriber", url, "verifies every webhook and keeps it", listening, ECHO_PORT)
            yield url


@contextlib.asynccontextmanager
async def _simulator(home: Home, voice: Voice) -> AsyncIterator[str]:
    with listen_near(SIMULATOR_PORT) as listening:
        url = url_of(listening)
        config = simulator.config(World())
        _log_to(home)
        async with running(uvicorn.Server(config), listening):
            _announce(voice, "simulator", url, "stands in for DashScope and AceData", listening, SIMULATOR_PORT)
            yield url


@contextlib.asynccontextmanager
async def _postback(home: Home, providers: str, voice: Voice) -> AsyncIterator[tuple[str, str]]:
    with listen_near(POSTBACK_PORT) as listening:
        # Nothing of the environment gets into these: no real key, address or database of the user's.
        settings = Settings.model_validate(
            {
                "home": home.path,
                "database_url": home.database_url,
                "host": HOST,
                "port": port_of(listening),
                "allow_networks": "127.0.0.0/8",
                "retry_schedule": RETRY_SCHEDULE,
                "dashscope_api_key": "demo",
                "dashscope_base_url": providers + DASHSCOPE_PATH,
                "acedata_api_token": "demo",
                "acedata_base_url": providers + ACEDATA_PATH,
            }
        )
        house = await open_house(settings)
        async with serving(house, listening) as server, running(server, listening):
            _announce(voice, "Postback", settings.url, f"on SQLite in {home.path}", listening, POSTBACK_PORT)
            yield settings.url, settings.api_key_file.read_text("utf-8").strip()


def _announce(voice: Voice, name: str, url: str, about: str, listening: socket, usual_port: int) -> None:
    instead = "" if port_of(listening) == usual_port else f"; port {usual_port} is taken"
    voice.good(f"{name:15}  ", (url, "cyan"), f"  {about}{instead}")


def _log_to(home: Home) -> None:
    """Sends all logs into the home, also those of uvicorn, which the simulator's configuration sends to stderr."""
    logs.configure(stream=home.log)
    for name in ("uvicorn", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
