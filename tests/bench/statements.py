"""Statements that the database is sent for a job in its whole life, from its submission to its delivery, under load.

The real program with all roles and as it is set up by default (its images are kept too), in this process and that of
its second writer, on SQLite; the simulator and the subscriber are processes of their own. Counted is what SQLAlchemy
hands to the driver, for whatever loop, with every BEGIN, SAVEPOINT and RELEASE, and each commit and rollback; an
`executemany` is one.
"""

import asyncio
import logging
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
import uvloop
from builders import subscribed
from e2e.eventually import eventually
from e2e.server import PROGRAM, free_port

from ledger import apart
from postback.house import House, open_house
from postback.serve import listen, serving
from postback.settings import load
from postback.simulator.app import environment

from . import counted_worker
from .counting import counting
from .endpoints import Endpoints, endpoints
from .generator import flood, request
from .line import Line, at_most
from .programs import listens
from .size import Size
from .stock import SEALED, SECRET

KEY = "a-key-for-the-statements"
BODY = b'{"provider":"acedata","model":"flux-dev","input":{"prompt":"a cat [delay=1s]"}}'
CLIENTS = 64
PATIENCE = 120.0
_OPEN = (
    "SELECT (SELECT count(*) FROM jobs WHERE finished_at IS NULL)"
    " + (SELECT count(*) FROM deliveries WHERE status IN ('pending', 'delivering'))"
    " + (SELECT count(*) FROM artifacts WHERE status IN ('pending', 'copying'))"
)


def lines(size: Size) -> list[Line]:
    """One line: each round's count by job, at AceData, which calls back; beside it one job in a program that idles."""
    counts = [uvloop.run(count(size.lives)) for _ in range(min(2, size.rounds))]
    alone = uvloop.run(count(1)).total()
    return [
        Line(
            "statements to the database for a job, whole life under load",
            f"baseline: a job by itself, with what idles meanwhile: {alone}",
            [one.total() / size.lives for one in counts],
            at_most(1),
            unit="",
        )
    ]


async def count(lives: int) -> Counter[str]:
    """How many statements of each kind so many jobs took, all submitted by 64 clients one after the other."""
    apart.PROGRAM = "-P", "-m", counted_worker.__name__
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, endpoints() as there, _simulator() as simulator:
        database = Path(folder) / "home" / "postback.sqlite3"
        async with _serving(Path(folder), there, simulator) as port:
            line, rest = request("/v1/jobs", BODY).split(b"\r\n", 1)
            wire = b"%s\r\nauthorization: Bearer %s\r\n%s" % (line, KEY.encode(), rest)
            with counting() as counts:
                load = await flood(port, [wire] * lives, CLIENTS)
                if set(load.statuses) != {202}:
                    raise SystemExit(f"not all were taken: {dict(load.statuses)}")
                await _finished(database)
        if (told := len(there.told())) != lives:
            raise SystemExit(f"{lives} jobs were submitted and {told} were told of")
        return counts + counted_worker.counted(database)


@asynccontextmanager
async def _serving(folder: Path, there: Endpoints, simulator: str) -> AsyncIterator[int]:
    """The program in this process, with a subscriber; its port."""
    with listen("127.0.0.1", 0) as listening:
        port: int = listening.getsockname()[1]
        settings = load(
            home=folder / "home",
            port=port,
            api_key=KEY,
            secret_keys=SECRET,
            allow_networks="127.0.0.0/8",
            acedata_api_token="anything",
            acedata_base_url=environment(simulator)["ACEDATA_BASE_URL"],
            acedata_submit_rate=100_000,
            acedata_max_in_flight=0,
        )
        house: House = await open_house(settings)
        await subscribed(house.ledger, url=there.url("told"), sealed_secret=SEALED, max_in_flight=64)
        async with serving(house, listening) as server:
            running = asyncio.create_task(server.serve(sockets=[listening]))
            while not server.started and not running.done():
                await asyncio.sleep(0.05)
            try:
                yield port
            finally:
                server.should_exit = True
                await running


async def _finished(path: Path) -> None:
    """Looks with a connection of its own, which is not counted."""
    deadline = time.monotonic() + PATIENCE
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as looking:
        while left := looking.execute(_OPEN).fetchone()[0]:
            if time.monotonic() > deadline:
                raise SystemExit(f"{left} jobs, deliveries or copies have not come to their end")
            await asyncio.sleep(0.2)
    looking.close()


@contextmanager
def _simulator() -> Iterator[str]:
    port = free_port()
    command = [PROGRAM, "simulator", "--port", str(port)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            eventually(lambda: listens(port), 30)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def main() -> None:
    """Prints how many statements of each kind a job takes."""
    lives = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    counts = uvloop.run(count(lives))
    for kind, number in counts.most_common():
        print(f"{number / lives:8.3f}  {kind}")
    print(f"{counts.total() / lives:8.3f}  a job, of {lives}")


if __name__ == "__main__":
    main()
