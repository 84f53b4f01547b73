"""What one scenario needs: servers that can be tortured, the world around them, and what was acknowledged."""

import contextlib
import random
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2 as httpx
from e2e.acedata import AceData
from e2e.api import Api
from e2e.dashscope import DashScope
from e2e.listener import Listener
from e2e.scene import settings_for
from e2e.server import free_port
from e2e.wire import Stage

from tests.torture.process import Process
from tests.torture.proxy import KINDS, Proxy

MODELS = ("flux-schnell", "flux-kontext-pro", "stable-diffusion-3.5-large", "flux-pro")
CLIENTS = 4
PAUSE = 0.02
LEASES = "4000"
"""Milliseconds: what a killed process held is due again that soon, on PostgreSQL."""

ENDLESS = "0s," + ",".join(["300ms"] * 60)


@dataclass
class World:
    """`accepted` are job ids by prompt, as far as they were acknowledged; `recoveries` the seconds from each blow to
    the next moment of readiness."""

    stage: Stage
    home: Path
    database_url: str
    chance: random.Random
    dashscope: DashScope
    acedata: AceData
    listener: Listener
    port: int = field(default_factory=free_port)
    settings: dict[str, object] = field(default_factory=dict)
    wants: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    proxies: list[Proxy] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    blows: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    refusals: int = 0
    hook: dict[str, Any] = field(default_factory=dict)
    given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def server(self) -> Process:
        """The one that clients speak to."""
        return self.processes[0]

    @cached_property
    def api(self) -> Api:
        """A client of the first process, good for as long as the scenario."""
        return Api(self.server.url, self.server.key)

    def process(self, roles: Sequence[str] = (), settings: Mapping[str, object] | None = None, **wants: str) -> Process:
        """Another process, not started. The first gets the world's port."""
        port = free_port() if self.processes else self.port
        given = self.settings | {"POSTBACK_PUBLIC_URL": f"http://127.0.0.1:{self.port}"} | dict(settings or {})
        one = Process(self.home, given, roles, port, **({"LEASES": LEASES} | self.wants | wants))
        self.processes.append(one)
        return one

    def proxy(self, port: int, share: float, kinds: Sequence[str] = KINDS) -> Proxy:
        """A proxy before that port, which spoils connections as the seed says."""
        self.proxies.append(Proxy(self.stage, port, f"{self.chance.random()}", share, tuple(kinds)))
        return self.proxies[-1]

    def subscribe(self, url: str) -> None:
        """Registers the subscriber whose deliveries are judged."""
        self.hook = self.api("POST", "/subscribers", {"url": url, "events": ["*"], "max_in_flight": 50}, expect=201)

    def submit(self, prompt: str, model: str, within: float = 30) -> bool:
        """As a careful client does: with a key, and again until it is acknowledged."""
        order = {"model": model, "input": {"prompt": prompt}}
        headers = {"Idempotency-Key": prompt}
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and not self.given_up.is_set():
            try:
                answer = self.api.http.post("/v1/jobs", json=order, headers=headers)
            except httpx.TransportError:
                time.sleep(PAUSE)
                continue
            if answer.status_code == 202:
                self.accepted[prompt] = answer.json()["id"]
                return True
            assert answer.status_code == 503, answer.text
            self.refusals += 1
            time.sleep(PAUSE)
        return False

    @contextlib.contextmanager
    def load(self, most: int = 400) -> Iterator["Load"]:
        """Clients that submit one job after the other inside the block."""
        load = Load(self, most)
        try:
            yield load
        except BaseException:
            # Nobody judges what comes now, and a client could wait long for a server that is stopped.
            self.given_up.set()
            self.kill()
            with contextlib.suppress(Exception):
                load.end()
            raise
        load.end()

    def kill(self) -> None:
        """Ends every process."""
        for process in self.processes:
            process.kill()

    def blow(self, name: str) -> None:
        """Notes that something was done to the house."""
        self.blows.append(name)

    def recovered(self, began: float) -> None:
        """Notes that the house is well again."""
        self.recoveries.append(time.monotonic() - began)


class Load:
    """The clients and how much they have sent."""

    def __init__(self, world: World, most: int) -> None:
        self._world = world
        self._most = most
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._lock = threading.Lock()
        self._sent = 0
        self._clients: list[Future[None]] = [self._pool.submit(self._client) for _ in range(CLIENTS)]

    def end(self) -> None:
        self._over.set()
        try:
            for client in self._clients:
                client.result(60)
        finally:
            self._pool.shutdown(wait=True)

    def _client(self) -> None:
        while not self._over.wait(PAUSE):
            with self._lock:
                number, self._sent = self._sent, self._sent + 1
            if number >= self._most:
                return
            self._world.submit(f"{number} {uuid.uuid4()}", MODELS[number % len(MODELS)])


@contextlib.contextmanager
def opened(folder: Path, database_url: str, seed: str, *, latency: float = 0.1, sabotage: str = "") -> Iterator[World]:
    """A world without any process yet. None is left afterwards."""
    stage = Stage()
    dash, ace, listener = DashScope(stage, latency), AceData(stage, latency), Listener(stage)
    home = folder / "home"
    world = World(stage, home, database_url, random.Random(seed), dash, ace, listener)
    world.settings = settings_for((dash, ace), database_url) | {
        "POSTBACK_RETRY_SCHEDULE": ENDLESS,
        "POSTBACK_CIRCUIT_FAILURES": 1_000_000,
        # A killed server leaves unconfirmed what it was sending: little, or there would be little else to judge.
        "POSTBACK_DASHSCOPE_SUBMIT_RATE": 20,
        "POSTBACK_ACEDATA_SUBMIT_RATE": 40,
        "POSTBACK_ACEDATA_POLL_AFTER": "300ms",
        "POSTBACK_API_KEY": "the-key-of-the-torture",
    }
    world.wants = {"BREAK": sabotage} if sabotage else {}
    try:
        yield world
    finally:
        world.kill()
        if "api" in world.__dict__:
            world.api.http.close()
        stage._loop.set_exception_handler(lambda *_: None)  # Python 3.11 complains of connections that are cancelled
        for wire in (dash.wire, ace.wire, listener.wire, *world.proxies):
            wire.close()
        stage.close()
