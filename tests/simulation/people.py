"""Those who use Postback: they ask for jobs, cancel and resubmit them, and have deliveries sent again."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from ledger.clock import SECOND
from ledger.errors import LedgerError

from .observer import Observer
from .plan import Order
from .process import Process
from .timeline import Loop, across

PATIENCE = 30
"""Seconds that they wait for an answer."""


class People:
    """`anybody` gives the process that a request reaches, None where none is there; `say` writes into the trace."""

    def __init__(
        self,
        outside: Loop,
        observer: Observer,
        chance: random.Random,
        anybody: Callable[[], Process | None],
        say: Callable[[str, str], None],
    ) -> None:
        self._outside = outside
        self._observer = observer
        self._chance = chance
        self._anybody = anybody
        self._say = say

    async def order(self, order: Order, prompt: str) -> None:
        """Asks for a job, until somebody has taken it, and does with it later what the order says."""
        await asyncio.sleep(order.at / SECOND)
        await self._ask(lambda process: process.order(order.provider, prompt))
        self._say("people", f"order: {prompt} from {order.provider}")
        for after, what in order.later:
            await asyncio.sleep(after / SECOND)
            made = [one.id for one in self._observer.record.jobs.values() if one.prompt == prompt]
            done = await self._ask(partial(_do, what, made[-1]), once=True)
            self._say("people", f"{what}: {prompt}{'' if done else ', refused'}")

    async def redeliver(self, at: int) -> None:
        """Has one of the deliveries that have ended at `at`, in milliseconds, sent again."""
        await asyncio.sleep(at / SECOND)
        ended = [one.id for one in self._observer.record.deliveries.values() if one.status in ("delivered", "dead")]
        if ended:
            chosen = self._chance.choice(ended)
            done = await self._ask(lambda process: process.redeliver(chosen), once=True)
            self._say("people", f"redeliver: {chosen}{'' if done else ', refused'}")

    async def _ask(self, what: Any, *, once: bool = False) -> bool:
        """Asks a process for something, and again until it could; `once` a refusal is taken for an answer."""
        while True:
            process = self._anybody()
            try:
                if process is not None:
                    async with asyncio.timeout(PATIENCE):
                        await across(self._outside, process.loop, partial(what, process))
                        return True
            except (LedgerError, ConnectionResetError, TimeoutError):
                if once:
                    return False
            await asyncio.sleep(1)


async def _do(what: str, job_id: str, process: Process) -> None:
    await (process.cancel(job_id) if what == "cancel" else process.resubmit(job_id))
