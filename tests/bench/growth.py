"""A million jobs, callbacks and pending deliveries in the database: what they cost those that come after them.

First they are due in a day, as after attempts that failed, and what is new is accepted and delivered beside them, and
beside a thousand. Then all are due, at an endpoint that never answers, and another subscriber's latency is measured
beside that of a server without them; and what both servers hold in memory meanwhile.
"""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop

from .accept import WARM_UP, measured
from .deliver import arrived, rate
from .endpoints import Endpoints, endpoints
from .heap import heap, make_due
from .latency import Passage, p50, p99, passing, rounds_of
from .line import Line, at_most, compare, in_turn
from .programs import postback
from .size import Size
from .stock import expecting
from .surge import generator

FEW = 1_000
OTHERS = 50
"""Callbacks a second whose notifications are for the other subscriber."""
STUBBORN = {"POSTBACK_DELIVERY_TIMEOUT": "2s", "POSTBACK_CIRCUIT_FAILURES": 1_000_000}
"""The circuit would end the trouble; here the trouble is what is measured."""
MEMORY_GOAL = 150


def lines(size: Size) -> list[Line]:
    """Growth, the others' latency, and memory."""
    with endpoints() as there, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.sqlite3"
        many = heap(path, size.heap, there.url("hangs"))
        few = heap(Path(folder) / "few.sqlite3", FEW, there.url("hangs"))
        grown = _grown(size, there, many, few)
        make_due(path)
        return grown + _beside(size, many)


def _grown(size: Size, there: Endpoints, many: str, few: str) -> list[Line]:
    rounds = in_turn(
        rounds_of(size),
        few=lambda: accepted_and_delivered(there, few, size.callbacks),
        many=lambda: accepted_and_delivered(there, many, size.callbacks),
        again=lambda: accepted_and_delivered(there, many, size.callbacks),
    )
    against = f"limit: with {FEW:,}"
    accept = compare(
        f"accept with {size.heap:,} jobs, callbacks and pending deliveries: time each",
        against,
        at_most(1.3),
        rounds,
        "few",
        of="many",
        figure=lambda rates: 1_000_000 / rates[0],
        measured_in="µs",
    )
    deliver = compare(
        f"deliver with {size.heap:,}: time each",
        against,
        at_most(1.3),
        rounds,
        "few",
        of="many",
        figure=lambda rates: 1_000_000 / rates[1],
        measured_in="µs",
    )
    return [accept, deliver]


def accepted_and_delivered(there: Endpoints, url: str, count: int) -> tuple[float, float]:
    """Callbacks accepted a second, and then their notifications delivered a second, on a database that has others."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        owed = asyncio.run(expecting(url, count + WARM_UP, there.url("times")))
        with postback(home, "receiver", POSTBACK_DATABASE_URL=url) as server:
            load = uvloop.run(measured(server.port, [one.wire for one in owed], 200))
        with postback(home, "forwarder", POSTBACK_DATABASE_URL=url):
            return load.rate, rate(arrived(there, count + WARM_UP))


def _beside(size: Size, many: str) -> list[Line]:
    count = int(OTHERS * (size.seconds + 1) * (2 * size.rounds + 1)) + 500
    with ExitStack() as stack:
        process = stack.enter_context(generator())
        without = stack.enter_context(passing(process, count, settings=STUBBORN))
        beside = stack.enter_context(passing(process, count, many, STUBBORN))
        for one in (without, beside):
            one.latencies(OTHERS, 1)
        with _holding(without) as empty, _holding(beside) as full:
            rounds = in_turn(
                size.rounds,
                without=lambda: without.latencies(OTHERS, size.seconds),
                ours=lambda: beside.latencies(OTHERS, size.seconds),
                again=lambda: beside.latencies(OTHERS, size.seconds),
            )
    what = f"one subscriber hangs with {size.heap:,} pending: the others' latency"
    goal = at_most(1.2)
    return [
        compare(f"{what}, p50", "limit: without it", goal, rounds, "without", figure=p50, measured_in="ms"),
        compare(f"{what}, p99", "limit: without it", goal, rounds, "without", figure=p99, measured_in="ms"),
        Line(
            f"memory with {size.heap:,} pending deliveries",
            "baseline: the same server and load without them",
            [max(full) - max(empty)],
            at_most(MEMORY_GOAL),
            unit="MiB",
            measured={"with": max(full), "without": max(empty)},
            measured_in="MiB",
        ),
    ]


@contextmanager
def _holding(passage: Passage) -> Iterator[list[float]]:
    """MiB that its server holds, looked at five times a second."""
    found = [passage.memory()]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            found.append(passage.memory())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()
