"""A forwarder starts and finds 100,000 deliveries due: how many does it send at once, and how long does it take?

A hundred subscribers on one SQLite file, the real forwarder and real sockets. Printed are the most requests that were
open at once, in all and at one subscriber, beside what is allowed; and how many times as long it took as a bare loop
over the same egress takes for as many POSTs.
"""

import argparse
import asyncio
import json
import logging
import tempfile
import time
from ipaddress import ip_network
from pathlib import Path

import structlog
from builders import owe, subscribed
from sqlalchemy import Connection, func, select

from ledger.clock import SECOND
from ledger.columns import in_states
from ledger.keys import SecretKeys
from ledger.lane import DEFAULT_MAX_IN_FLIGHT, Circuit
from ledger.ledger import Ledger, open_database
from ledger.lifecycle import OPEN_DELIVERY
from ledger.schema import deliveries
from postback.runner import Runner
from receiver.courier import Courier
from receiver.egress import Egress
from receiver.forwarder import MAX_IN_FLIGHT, Forwarder
from receiver.signing import new_secret

from .endpoints import Endpoints, Seen, endpoints

SUBSCRIBERS = 100
TIMEOUT = 15 * SECOND
KEYS = SecretKeys(["a secret key for measurements"])
SECRET = KEYS.encrypt(new_secret(lambda count: b"s" * count))


async def drained(there: Endpoints, folder: Path, *, count: int, after: int) -> tuple[float, Seen]:
    """How many seconds a forwarder needed until nothing was owed any more, and what came."""
    ledger = Ledger(await open_database(f"sqlite:///{folder / 'postback.sqlite3'}"))
    await ledger.database.migrate()
    egress = door()
    runner = Runner("forwarder", ledger.clock)
    forwarder = Forwarder(
        ledger, Courier(KEYS, egress), schedule=[0], timeout=TIMEOUT, circuit=Circuit(), spawn=runner.spawn
    )
    try:
        for i in range(SUBSCRIBERS):
            one = await subscribed(ledger, url=there.url(f"after/{after}/{i}"), sealed_secret=SECRET)
            await owe(ledger, one.id, count // SUBSCRIBERS)
        start = time.monotonic()
        runner.start(forwarder.run_once)
        while there.count() < count or await ledger.read(owed):
            await asyncio.sleep(0.1)
        return time.monotonic() - start, there.look()
    finally:
        await runner.stop(0)
        await egress.close()
        await ledger.close()


def door() -> Egress:
    return Egress([ip_network("127.0.0.0/8")], TIMEOUT)


def owed(connection: Connection) -> int:
    return connection.execute(
        select(func.count()).select_from(deliveries).where(in_states(deliveries, *OPEN_DELIVERY))
    ).scalar_one()


async def posted(there: Endpoints, *, count: int, after: int) -> float:
    """How many seconds the same number of POSTs takes that nobody remembers, as many at once."""
    egress = door()
    numbers = iter(range(count))
    headers = {"content-type": "application/json", "webhook-id": "ntf_1"}

    async def post() -> None:
        for number in numbers:
            await egress.post(there.url(f"after/{after}/{number % SUBSCRIBERS}"), headers, b'{"data":{}}')

    try:
        start = time.monotonic()
        await asyncio.gather(*(post() for _ in range(MAX_IN_FLIGHT)))
        return time.monotonic() - start
    finally:
        await egress.close()


async def measure(count: int, after: int) -> dict[str, object]:
    """One drain between two bare loops."""
    with endpoints() as there, tempfile.TemporaryDirectory() as folder:
        bare = [await posted(there, count=count, after=after)]
        there.look()
        seconds, seen = await drained(there, Path(folder), count=count, after=after)
        bare.append(await posted(there, count=count, after=after))
    deliveries_seen = {delivery for _, delivery, _ in seen.arrivals}
    if len(deliveries_seen) != count:
        raise SystemExit(f"{count} were due and {len(deliveries_seen)} arrived")
    return {
        "due": count,
        "subscribers": SUBSCRIBERS,
        "answered_after_ms": after,
        "most_open": seen.most_open,
        "allowed": MAX_IN_FLIGHT,
        "most_open_at_one": max(seen.most_open_at.values()),
        "allowed_at_one": DEFAULT_MAX_IN_FLIGHT,
        "sent_twice": len(seen.arrivals) - count,
        "drain_to_bare_loop": round(2 * seconds / sum(bare), 2),
        "bare_loop_to_itself": round(bare[0] / bare[1], 2),
        "a_second": round(count / seconds),
    }


def main() -> None:
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="deliveries due, a multiple of 100")
    parser.add_argument("--after", type=int, default=100, help="milliseconds until a subscriber answers")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(json.dumps(asyncio.run(measure(arguments.count, arguments.after)), indent=2))


if __name__ == "__main__":
    main()
