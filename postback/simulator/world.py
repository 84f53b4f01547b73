"""The world the simulated providers live in: their clock, their chance, their habits and the jobs they hold."""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from postback.simulator.limits import Limit
from postback.simulator.script import Script
from postback.simulator.stats import Stats
from postback.simulator.task import Task

_CANCELABLE_FOR = 60.0
_PENDING_SHARE = 0.25


@dataclass
class World:
    """Everything that one simulator shares between its two providers. Use one for each app, in one event loop."""

    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    """Waits for a number of seconds of `now`; only AceData's callbacks and blocking calls use it."""
    random: Random = field(default_factory=Random)
    delay: float = 2.0
    """Seconds that a job takes unless its prompt says otherwise, give or take `jitter`."""
    jitter: float = 0.5
    submit_rate: int | None = None
    """Submissions a second that are accepted for each account and model; None: any number."""
    query_rate: int | None = None
    """Queries (fetch, list, cancel, retrieve) a second for each account; None: any number."""

    tasks: dict[str, Task] = field(default_factory=dict, init=False)
    stats: Stats = field(default_factory=Stats, init=False)

    def __post_init__(self) -> None:
        self.submit_limit = Limit(self.submit_rate)
        self.query_limit = Limit(self.query_rate)

    def may_submit(self, provider: str, account: str, model: str) -> bool:
        return self._counted(self.submit_limit.allows(f"{provider} {account} {model}", self.now()))

    def may_query(self, provider: str, account: str) -> bool:
        self.stats.queried(provider, self.now())
        return self._counted(self.query_limit.allows(f"{provider} {account}", self.now()))

    def accept(
        self,
        *,
        provider: str,
        account: str,
        service: str,
        model: str,
        prompt: str,
        request: Mapping[str, Any],
        script: Script,
        count: int,
        folder: str,
        seed: int | None,
        fault: str | None,
    ) -> Task:
        """Takes a job on. `folder` is the URL that its images' URLs start with; `fault` the error code of a job that
        will fail.
        """
        now = self.now()
        self._forget(now)
        length = self._length(script)
        task = Task(
            id=self.new_id(),
            provider=provider,
            account=account,
            service=service,
            model=model,
            prompt=prompt,
            request=request,
            script=script,
            seed=self.random.getrandbits(31) if seed is None else seed,
            count=count,
            images=(),
            fault=fault,
            submitted_at=now,
            started_at=now + length * (1.0 if script.cancelable else _PENDING_SHARE),
            finished_at=now + length,
        )
        self.tasks[task.id] = task = replace(task, images=_images(task, folder))
        return task

    def find(self, provider: str, account: str, task_id: str) -> Task | None:
        """The task, if this account has it and it has not been forgotten."""
        task = self.tasks.get(task_id)
        if task is None or (task.provider, task.account) != (provider, account) or task.forgotten(self.now()):
            return None
        return task

    def cancel(self, task: Task) -> None:
        self.tasks[task.id] = replace(task, canceled_at=self.now())

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _length(self, script: Script) -> float:
        if script.delay is not None:
            return script.delay
        if script.cancelable:
            return _CANCELABLE_FOR
        return max(0.0, self.delay + self.random.uniform(-self.jitter, self.jitter))

    def _counted(self, allowed: bool) -> bool:
        self.stats.throttled += not allowed
        return allowed

    def _forget(self, now: float) -> None:
        while self.tasks:
            oldest = next(iter(self.tasks.values()))
            if not oldest.forgotten(now):
                return
            del self.tasks[oldest.id]
            self.stats.forget(oldest.id)


def _images(task: Task, folder: str) -> tuple[str | None, ...]:
    if task.script.empty:
        return ()
    made = max(0, task.count - task.script.partial)
    names = [hashlib.sha256(f"{task.prompt}\n{task.seed + i}".encode()).hexdigest()[:24] for i in range(made)]
    return (*(f"{folder}/{name}.png" for name in names), *[None] * (task.count - made))
