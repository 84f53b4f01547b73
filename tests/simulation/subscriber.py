"""Subscribers as the world has them, and the door that deliveries leave a process by."""

import asyncio
import random
from collections.abc import Callable, Mapping

from ledger.clock import SECOND
from receiver.egress import EgressError, Response
from receiver.timing import Timing

from .plan import Reader
from .timeline import Loop, across

TIMEOUT = 15 * SECOND

TROUBLES = (500, 500, 503, 429, 410, "is not there", "hangs", "processed, but cut")


class Subscriber:
    """Answers POSTs. `troubled()` says whether its next answer goes wrong."""

    def __init__(self, reader: Reader, chance: random.Random, troubled: Callable[[float], bool]) -> None:
        self.reader = reader
        self.url = f"https://{reader.name}.example/hook"
        self.got: list[str] = []
        self._chance = chance
        self._troubled = troubled

    async def handle(self, headers: Mapping[str, str]) -> Response:
        """The answer to one POST. Raises `EgressError`."""
        trouble = self._chance.choice(TROUBLES) if self._troubled(self.reader.trouble) else "none"
        await asyncio.sleep(self._chance.choice((0.0, 0.05, 1.0)))
        if trouble == "is not there":
            raise EgressError("connect", "https://reader.example: refused")
        self.got.append(headers["webhook-id"])
        match trouble:
            case "hangs":
                await asyncio.sleep(self._chance.uniform(5, 60))
            case "processed, but cut":
                raise EgressError("response", "https://reader.example: the answer ended early")
            case 429:
                return _answer(429, {"retry-after": str(self._chance.choice((1, 7)))})
            case int(status):
                return _answer(status)
        return _answer(204)


class Door:
    """One process's egress. `sending` and `sent` are told of each POST that is under way."""

    def __init__(
        self,
        here: Loop,
        outside: Loop,
        subscribers: Mapping[str, Subscriber],
        sending: Callable[[str], None],
        sent: Callable[[str], None],
    ) -> None:
        self._here = here
        self._outside = outside
        self._subscribers = subscribers
        self._sending = sending
        self._sent = sent

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """What the real one does, in virtual time. Raises `EgressError`."""
        subscriber, began = self._subscribers[url], self._here.time()
        self._sending(url)
        try:
            async with asyncio.timeout(TIMEOUT / SECOND):
                answer = await across(self._here, self._outside, lambda: subscriber.handle(headers))
                return answer._replace(duration_ms=self._since(began))
        except TimeoutError:
            timing = Timing(response=self._since(began))
            raise EgressError("timeout", "https://reader.example: no answer in time", timing) from None
        finally:
            self._sent(url)

    def _since(self, began: float) -> int:
        return round((self._here.time() - began) * SECOND)


def _answer(status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, headers or {}, b"", False, 1)
