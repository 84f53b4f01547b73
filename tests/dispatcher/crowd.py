"""Ten thousand jobs in flight against twenty queries a second, in virtual time, with and without the provider's list.

The real poller, sweeper, client, receiver and ledger against the simulator, whose limit is enforced. Run it at full
size with `scripts/bench polling`.
"""

import argparse
import asyncio
import json
import logging
import random
import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import structlog
from sqlalchemy import Connection, insert, select

from dispatcher.callback import CallbackPoster
from dispatcher.client import ProviderClient
from dispatcher.poller import Poller
from dispatcher.sweeper import Sweeper
from ledger.clock import DAY
from ledger.job import Job
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.schema import jobs as table
from ledger.schema import schema
from ledger.tokens import CallbackTokens
from postback.simulator.app import create_app
from postback.simulator.script import Script
from postback.simulator.world import World
from providers import PROVIDERS
from providers.protocol import Account

from .beside import beside
from .stage import KEYS, RECEIVER_URL
from .virtual import Crew, Time
from .wire import Receiver

RATE = 20
FINISHED_A_SECOND = 10_000 / 600
ACCOUNT = Account("http://simulator.test/dashscope/api/v1", "sk-crowd")


@dataclass(frozen=True)
class Figures:
    """What a crowd cost. `calls_a_job` counts queries and lists; delays are seconds from finish to accepted result."""

    jobs: int
    finished: int
    calls_a_job: float
    mean_delay: float
    worst_delay: float
    busiest_second: int
    refused: int


async def measure(folder: Path, count: int, *, swept: bool) -> Figures:
    """Runs `count` jobs, finishing evenly over as long as 16.7 a second take, until all are accepted."""
    time = Time()
    world = World(now=lambda: time.now / 1_000, random=random.Random(7), query_rate=RATE)
    database = await open_database(f"sqlite:///{folder / f'{count}-{swept}.sqlite3'}")
    await database.write(schema.create_all)
    ledger = Ledger(database, clock=time)
    tasks = await ledger.write(_crowd, world, count)
    tokens, crew, calls = CallbackTokens(KEYS, time), Crew(time), Counter[int]()

    async def counted(request: httpx.Request) -> httpx.Response:
        calls[time.now // 1_000] += 1
        return await simulator.handle_async_request(request)

    simulator = httpx.ASGITransport(create_app(world))
    clients = {"dashscope": ProviderClient(PROVIDERS["dashscope"], ACCOUNT, tokens.blank, _Counting(counted))}
    async with httpx.AsyncClient(transport=httpx.MockTransport(Receiver(ledger, tokens, time))) as http:
        poster = CallbackPoster(http, RECEIVER_URL, tokens)
        rates = {"dashscope": float(RATE)}
        sweeper = Sweeper(ledger, clients, rates=rates, sleep=time.sleep)
        poller = Poller(
            ledger,
            clients,
            poster,
            rates=rates,
            spawn=crew.spawn,
            swept=sweeper.swept if swept else tuple,
            sleep=time.sleep,
            jitter=random.Random(3).random,
        )

        loops = (beside(crew, time, sweeper.run_once), poller.run_once) if swept else (poller.run_once,)
        while await _unfinished(ledger):
            await crew.run(*loops, until=time.now + 10_000)
        await crew.finish()
    delays = await ledger.read(_delays, tasks)
    await ledger.close()
    for client in clients.values():
        await client.__aexit__(None, None, None)
    return Figures(
        jobs=count,
        finished=len(delays),
        calls_a_job=round(sum(calls.values()) / count, 3),
        mean_delay=round(statistics.mean(delays), 1),
        worst_delay=round(max(delays), 1),
        busiest_second=max(calls.values()),
        refused=world.stats.throttled,
    )


class _Counting(httpx.AsyncBaseTransport):
    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await self._handle(request)
        return response


def _crowd(connection: Connection, moment: Moment, world: World, count: int) -> dict[str, float]:
    """Jobs that the provider has just taken; returns when each will finish, in seconds."""
    finishes: dict[str, float] = {}
    rows = []
    for number in range(count):
        task = world.accept(
            provider="dashscope",
            account=ACCOUNT.api_key,
            service="aigc/text2image/image-synthesis",
            model="flux-schnell",
            prompt=f"number {number}",
            request={},
            script=replace(Script(), delay=30 + (number * 7919 % count) / FINISHED_A_SECOND),
            count=1,
            folder="http://simulator.test/images",
            seed=number,
            fault=None,
        )
        finishes[task.id] = task.finished_at
        job = Job(moment.id("job"), "dashscope", "flux-schnell", "pending", {"prompt": "x"}, {}, {}, moment.now)
        due_at = moment.now + number % 1_000
        times = {"submitted_at": moment.now, "due_at": due_at, "deadline_at": moment.now + DAY}
        rows.append(job._replace(task_id=task.id, **times)._asdict())
    connection.execute(insert(table), rows)
    return finishes


async def _unfinished(ledger: Ledger) -> bool:
    query = select(table.c.id).where(table.c.status.in_(("pending", "running"))).limit(1)
    return bool(await ledger.read(lambda connection: connection.execute(query).all()))


def _delays(connection: Connection, finishes: dict[str, float]) -> list[float]:
    rows = connection.execute(select(table.c.task_id, table.c.finished_at).where(table.c.status == "succeeded"))
    return [row.finished_at / 1_000 - finishes[row.task_id] for row in rows]


async def main() -> int:
    """Prints both measurements; fails where the swept one misses its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    count = parser.parse_args().jobs
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        swept = await measure(Path(folder), count, swept=True)
        one_by_one = await measure(Path(folder), count, swept=False)
    sys.stdout.write(json.dumps({"swept": asdict(swept), "one_by_one": asdict(one_by_one)}, indent=2) + "\n")
    return 0 if swept.calls_a_job <= 1.3 and swept.mean_delay <= 30 and swept.busiest_second <= RATE else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
