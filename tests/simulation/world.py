"""One run: processes, providers, subscribers and people, until everything is at rest or a rule is broken."""

import asyncio
import random
from collections.abc import Coroutine
from functools import partial
from typing import Any

import httpx2 as httpx
from builders import NOW

from ledger import subscribers
from ledger.clock import DAY, HOUR, SECOND
from ledger.errors import LedgerError
from ledger.ids import Ids
from ledger.moment import Moment
from ledger.tokens import CallbackTokens
from receiver.signing import new_secret

from .acedata import AceData
from .dashscope import DashScope
from .host import Fate, Host
from .logs import heard_logs
from .observer import Observer, Violation
from .people import People
from .plan import Plan, Reader
from .process import KEYS, Process, Surroundings, turn
from .provider import Provider
from .store import Access, Store, away
from .subscriber import Door, Subscriber
from .timeline import Loop, Timeline, across

SEALED = KEYS.encrypt(new_secret(lambda count: b"s" * count))
PATIENCE = 4 * HOUR
"""How long everything may take to come to rest once nothing goes wrong any more."""

MOST_STEPS = 400_000
STOPS = (3 * SECOND, 40 * SECOND, 75 * SECOND, 75 * SECOND)
PROVIDER_TIMEOUT = 15


class World:
    """Everything that a seed stands for."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.timeline = Timeline(self.chance)
        self.outside = Loop("outside", self.timeline)
        self.calm = False
        self._store = store
        store.clear()
        self._busy = 0
        self._tokens = CallbackTokens(KEYS, lambda: NOW + DAY)  # to know whose a callback is, whatever our clocks say
        self._subscribers = {one.url: one for one in (self._subscriber(reader) for reader in plan.readers)}
        self.observer = Observer(store, plan, self._registered())
        self.hosts = [Host("A", 0), Host("B", self.chance.choice((0, 700)))][: 2 if plan.shared else 1]
        self.providers: dict[str, Provider] = {
            "dashscope": DashScope(*self._provider("dashscope"), plan.lag),
            "acedata": AceData(*self._provider("acedata"), self._post, self._begin),
        }

    def run(self) -> Violation | None:
        """Lets everything happen; the first rule that was broken, if any was."""
        people = People(self.outside, self.observer, self.chance, self._any_process, self._say)
        for host in self.hosts:
            self._start(host)
        for number, order in enumerate(self.plan.orders):
            self._begin(people.order(order, f"picture {number + 1}"))
        for at in self.plan.redeliveries:
            self._begin(people.redeliver(at))
        for at, which, skew in self.plan.skews:
            self.outside.call_later(at / SECOND, self._skew, self.hosts[which % len(self.hosts)], skew)
        self.outside.call_later(self.plan.calm_at / SECOND, self._calm_down)
        with heard_logs(self._logged):
            self._play()
            if self.observer.violation is None:
                self.observer.ended()
            for loop in list(self.timeline.loops):
                loop.bury()
        return self.observer.violation

    def _play(self) -> None:
        end = self.plan.calm_at + PATIENCE
        while self.observer.violation is None and self.timeline.steps < MOST_STEPS:
            if not self.timeline.step(end) or (self.calm and not self._busy and self.observer.at_rest):
                return
            for host in self.hosts:
                if host.process is not None:
                    self._fate(host, host.process)

    def _fate(self, host: Host, process: Process) -> None:
        if process.loop.failures:
            self.observer.breaks("no_callback_fails", process.loop.failures[0])
        if self.calm or process.loop.stopped:
            return
        if host.meets(host.dies, process.loop.ran):
            self._say(process.name, "dies")
            self._bury(host, process)
            self.outside.call_later(self.chance.choice((0.0, 2.0, 45.0)), self._start, host)
        elif host.meets(host.stops, process.loop.ran):
            host.stops = None
            process.loop.stopped = True
            self.observer.timely = False
            lasts = self.chance.choice(STOPS)
            self._say(process.name, f"is stopped: for {lasts // SECOND} s")
            self.outside.call_later(lasts / SECOND, self._goes_on, process)

    def _bury(self, host: Host, process: Process) -> None:
        host.process = None
        process.loop.bury()
        self.observer.died(process.name)

    def _goes_on(self, process: Process) -> None:
        if process.loop.stopped:
            process.loop.stopped = False
            self._say(process.name, "goes on")

    def _start(self, host: Host) -> None:
        if host.process is not None:
            return
        host.starts += 1
        name = f"{host.name}{host.starts}"
        loop = Loop(name, self.timeline)

        def clock() -> int:
            return self.now() + host.skew

        around = Surroundings(
            plan=self.plan,
            store=self._store,
            clock=clock,
            access=Access(self._store, partial(self._turn, loop), partial(self._committed, host, name), clock),
            wires={one: partial(self._wire, host, one) for one in self.providers},
            door=Door(loop, self.outside, self._subscribers, partial(self._sending, host), partial(self._sent, name)),
            own_post=self._own_post,
            chance=self.chance,
        )
        host.process = process = Process(name, loop, around)
        host.requests = host.claims = 0
        host.dies, host.stops = self._fated(self.plan.dies), self._fated(self.plan.stops)
        self._say(name, "starts")
        across(self.outside, loop, partial(self._insist_on_start, process))

    def _fated(self, likely: float) -> Fate | None:
        if self.chance.random() >= likely:
            return None
        match self.chance.choice(("callbacks", "requests", "claims", "claims")):
            case "callbacks":
                return Fate(callbacks=self.chance.randint(1, self.plan.steps))
            case "requests":
                return Fate(requests=self.chance.randint(1, 6))
            case _:
                return Fate(claims=self.chance.randint(1, 4))

    async def _insist_on_start(self, process: Process) -> None:
        while True:
            try:
                return await process.start()
            except LedgerError:
                await asyncio.sleep(1)

    def _calm_down(self) -> None:
        self.calm = True
        self._say("world", "calms down")
        for host in self.hosts:
            host.skew = 0
            self._start(host)
            if host.process is not None:
                host.process.calm_down()

    def _skew(self, host: Host, skew: int) -> None:
        if not self.calm:
            self.observer.timely = False
            host.skew = skew
            self._say(host.name, f"clock steps: it is {skew} ms ahead")

    # Wires

    def _any_process(self) -> Process | None:
        running = [host.process for host in self.hosts if host.process is not None]
        return self.chance.choice(running) if running else None

    async def _wire(self, host: Host, provider: str, here: Loop, request: httpx.Request) -> httpx.Response:
        host.requests += 1
        return await across(here, self.outside, lambda: self.providers[provider].handle(request))

    async def _post(self, url: str, body: bytes) -> int | None:
        process, token = self._any_process(), url.rpartition("/")[2]
        if process is None:
            return None
        try:
            async with asyncio.timeout(PROVIDER_TIMEOUT):
                code = await across(self.outside, process.loop, lambda: process.receive(token, body))
        except (ConnectionResetError, TimeoutError):
            return None
        self._told(process, token, body, code)
        return code

    async def _own_post(self, process: Process, token: str, body: bytes) -> int:
        trouble = self.chance.choice((503, "before", "after")) if self._troubled() else None
        if trouble == "before":
            raise httpx.ConnectError("refused")
        if trouble == 503:
            return 503
        code = await process.receive(token, body)
        if trouble == "after":
            raise httpx.ReadError("cut")
        self._told(process, token, body, code)
        return code

    def _told(self, process: Process, token: str, body: bytes, code: int) -> None:
        if 200 <= code < 300:
            job_id, _ = self._tokens.read(token)
            self.observer.acknowledged(self.timeline.now, process.name, job_id, body)

    def _sending(self, host: Host, url: str) -> None:
        host.requests += 1
        if host.process is not None:
            self.observer.sending(host.process.name, self._subscribers[url].reader)

    def _sent(self, process: str, url: str) -> None:
        self.observer.sent(process, self._subscribers[url].reader)

    # The database

    async def _turn(self, loop: Loop, name: str) -> None:
        await turn(loop, 0.0 if self.calm else self.plan.slow, self.chance)
        now = self.timeline.now
        if not self.calm and any(begins <= now < ends for begins, ends in self.plan.outages):
            self.observer.counts["database away"] += 1
            raise away()

    def _committed(self, host: Host, process: str, name: str, changed: bool) -> None:
        if changed:
            host.claims += name.endswith(".claim")
            self.observer.committed(self.timeline.now, process, name, self.now() + host.skew)
        if not self.calm and self.chance.random() < self.plan.unheard:
            self._say(process, f"does not hear of its commit: {name}")
            raise away()

    # Small things

    def now(self) -> int:
        """The true time, in epoch milliseconds."""
        return NOW + self.timeline.now

    def _provider(self, name: str) -> tuple[Any, ...]:
        return (
            self.chance,
            self.now,
            self._troubled,
            self.plan.forgets,
            lambda task: self.observer.took(self.timeline.now, name, task),
        )

    def _subscriber(self, reader: Reader) -> Subscriber:
        return Subscriber(reader, self.chance, self._troubled)

    def _registered(self) -> dict[str, Reader]:
        moment = Moment(NOW, Ids(self.chance.randbytes))
        found = {}
        for url, one in self._subscribers.items():
            draft = subscribers.Draft(url, SEALED, one.reader.events, max_in_flight=one.reader.max_in_flight)
            row = self._store.run(partial(subscribers.create, moment=moment, draft=draft))
            found[row.id] = one.reader
        return found

    def _troubled(self, trouble: float | None = None) -> bool:
        return not self.calm and self.chance.random() < (self.plan.trouble if trouble is None else trouble)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Something of the outside's own, without which nothing is at rest."""
        self._busy += 1
        self.outside.create_task(work).add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._busy -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            self.observer.breaks("the_simulation_works", repr(error))

    def _say(self, who: str, what: str) -> None:
        self.observer.say(self.timeline.now, who, what)

    def _logged(self, event: str, error: BaseException | None) -> None:
        if not isinstance(error, LedgerError):
            self.observer.breaks("nothing_fails_unexpectedly", f"{event}: {error!r}")
