"""A clock that nobody waits for, and a receiver of callbacks."""

import json
from typing import Any

import anyio
import httpx2 as httpx

BASE = "http://simulator.test"
KEY = {"authorization": "Bearer sk-anything"}
CALLBACK_URL = "https://receiver.test/callbacks/token"


class Clock:
    """Starts at 2024-06-14 14:30:00 in China. A sleeper moves it on, so that nobody waits."""

    def __init__(self) -> None:
        self.time = 1718346600.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(0)
        self.time += max(0.0, seconds)


class Catcher:
    """Receives callbacks: `caught` holds each with the time it came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.caught: list[tuple[float, dict[str, Any]]] = []
        self.headers: list[httpx.Headers] = []
        self.answer = 200

    async def receive(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == CALLBACK_URL
        self.caught.append((self._clock.now(), json.loads(await request.aread())))
        self.headers.append(request.headers)
        return httpx.Response(self.answer)

    async def bodies(self, count: int) -> list[dict[str, Any]]:
        """Waits until so many have come, and says what they hold."""
        with anyio.fail_after(5):
            while len(self.caught) < count:
                await anyio.sleep(0)
        return [body for _, body in self.caught]
