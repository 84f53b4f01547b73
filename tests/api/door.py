"""Stands in for the way out: what is POSTed is remembered, and answered as a test says."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from postback.house import House
from receiver.answers import EgressError, Response
from receiver.courier import Courier
from receiver.timing import Timing

TIMING = Timing(3, 5, 12, 7)


@dataclass
class Door:
    """`answer` is what everything gets; `held` makes it wait first."""

    answer: Response | EgressError = field(default_factory=lambda: answers(200))
    held: asyncio.Event | None = None
    sent: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        self.sent.append((url, headers, body))
        if self.held is not None:
            await self.held.wait()
        if isinstance(self.answer, EgressError):
            raise self.answer
        return self.answer


def answers(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, b"hi", False, 27, TIMING)


@contextmanager
def guarded() -> Iterator[Door]:
    """Every house that is opened meanwhile sends through this door."""
    door: Any = Door()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(House, "courier", lambda house: Courier(house.keys, door))
        yield door
