"""Does one endpoint that never answers delay the others? With and without it, in turn, in one run.

A hundred subscribers on one SQLite file, the real forwarder and real sockets. The one that hangs is owed 10,000
deliveries. Printed are the ratios of the others' latency, from the commit of a notification to its arrival, and beside
them the same ratio of runs that do not differ, which is the noise.
"""

import argparse
import asyncio
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

import structlog
from builders import owe, subscribed
from sqlalchemy import Connection

from ledger import subscribers
from ledger.clock import SECOND
from ledger.keys import SecretKeys
from ledger.lane import Circuit
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.outbox import Outbox
from postback.runner import Runner
from receiver.courier import Courier
from receiver.egress import Egress
from receiver.forwarder import Forwarder
from receiver.signing import new_secret

from .endpoints import Endpoints, endpoints

OTHERS = 99
QUEUED = 10_000
TIMEOUT = 2 * SECOND
KEYS = SecretKeys(["a secret key for measurements"])
SECRET = KEYS.encrypt(new_secret(lambda count: b"s" * count))


async def round_of(there: Endpoints, folder: Path, *, hanging: bool, per_second: int, seconds: int) -> list[float]:
    """The others' latencies, in seconds, of one run on a new database."""
    ledger = Ledger(await open_database(f"sqlite:///{folder / 'postback.sqlite3'}"))
    await ledger.database.migrate()
    egress = Egress([ip_network("127.0.0.0/8")], TIMEOUT)
    runner = Runner("forwarder", ledger.clock)
    forwarder = Forwarder(
        ledger,
        Courier(KEYS, egress),
        schedule=[0, 5 * SECOND, 300 * SECOND],
        timeout=TIMEOUT,
        # The circuit would end the trouble; here the trouble is what is measured.
        circuit=Circuit(failures=1_000_000),
        spawn=runner.spawn,
    )
    try:
        others = [
            (await subscribed(ledger, url=there.url(f"well/{i}"), sealed_secret=SECRET)).id for i in range(OTHERS)
        ]
        stuck = await subscribed(ledger, url=there.url("hangs"), sealed_secret=SECRET)
        if hanging:
            for _ in range(QUEUED // 1_000):
                await owe(ledger, stuck.id, 1_000)
        runner.start(forwarder.run_once)
        start = time.monotonic()
        for i in range(per_second * seconds):
            await asyncio.sleep(max(0.0, start + i / per_second - time.monotonic()))
            await ledger.write(_tell, others[i % OTHERS])
            runner.wake()
        await ledger.write(subscribers.delete, stuck.id)
        await asyncio.sleep(0.5)
        return there.take()
    finally:
        await runner.stop(0)
        await egress.close()
        await ledger.close()


def _tell(connection: Connection, moment: Moment, subscriber_id: str) -> None:
    outbox = Outbox(connection, moment)
    outbox.send("postback.ping", {"sent": time.monotonic()}, subscriber_id)
    outbox.write()


def percentile(latencies: Sequence[float], share: float) -> float:
    return sorted(latencies)[min(len(latencies) - 1, int(len(latencies) * share))]


async def measure(pairs: int, per_second: int, seconds: int) -> dict[str, object]:
    """Rounds with, without and with it again, in turn."""
    rounds: dict[str, list[list[float]]] = {"with": [], "without": [], "again": []}
    with endpoints() as there:
        for pair in range(pairs):
            for name, latencies in rounds.items():
                with tempfile.TemporaryDirectory() as folder:
                    hanging = name != "without"
                    got = await round_of(there, Path(folder), hanging=hanging, per_second=per_second, seconds=seconds)
                if len(got) != per_second * seconds:
                    raise SystemExit(f"{per_second * seconds} were sent to the others and {len(got)} arrived")
                latencies.append(got)
            print(f"pair {pair + 1} of {pairs} measured", flush=True)
    figures: dict[str, object] = {"pairs": pairs, "deliveries_a_round": per_second * seconds, "queued": QUEUED}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        at = {which: [percentile(one, share) for one in all_] for which, all_ in rounds.items()}
        against = [w / o for w, o in zip(at["with"], at["without"], strict=True)]
        itself = [w / a for w, a in zip(at["with"], at["again"], strict=True)]
        figures[name] = {
            "with_to_without": round(statistics.median(against), 2),
            "each": [round(one, 2) for one in against],
            "with_to_with": round(statistics.median(itself), 2),
            "each_to_itself": [round(one, 2) for one in itself],
        }
    return figures


def main() -> None:
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--rate", type=int, default=100, help="deliveries a second to the others")
    parser.add_argument("--seconds", type=int, default=6, help="of each round")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(json.dumps(asyncio.run(measure(arguments.pairs, arguments.rate, arguments.seconds)), indent=2))


if __name__ == "__main__":
    main()
