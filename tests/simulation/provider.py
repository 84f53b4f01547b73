"""A provider as the world has them: it takes jobs, works on them, and its answers get lost. Its record is the truth.

What DashScope and AceData say is in files of their own; here is what both do.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httpx2 as httpx

from ledger.clock import SECOND

SUBMIT_TROUBLES = (
    "is not there",
    "lost before",
    "lost after",
    "lost after",
    "hangs",
    "hangs",
    "throttles",
    "errs before",
    "errs after",
    "garbage",
    "refuses",
)
ASK_TROUBLES = ("is not there", "lost before", "lost after", "hangs", "throttles", "errs before", "garbage")


@dataclass
class Task:
    """One job as its provider knows it. `begins_at` and `ends_at` are in epoch milliseconds; None is never."""

    id: str
    prompt: str
    model: str
    made_at: int
    begins_at: int
    ends_at: int | None
    ending: str
    forgotten_at: int | None
    callback_url: str | None = None
    canceled: bool = False

    def status(self, now: int) -> str:
        """`PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, `CANCELED`, or `UNKNOWN` where it is forgotten."""
        if self.forgotten_at is not None and now >= self.forgotten_at:
            return "UNKNOWN"
        if self.canceled:
            return "CANCELED"
        if self.ends_at is not None and now >= self.ends_at:
            return "FAILED" if self.ending == "failed" else "SUCCEEDED"
        return "RUNNING" if now >= self.begins_at else "PENDING"


class Provider(ABC):
    """What both providers do. `now` is the true time; `troubled(likely)` says whether something goes wrong now.

    `on_taken` is told of each task that it takes.
    """

    name: str

    def __init__(
        self,
        chance: random.Random,
        now: Callable[[], int],
        troubled: Callable[..., bool],
        forgets: float,
        on_taken: Callable[[Task], None],
    ) -> None:
        self.chance = chance
        self.now = now
        self.tasks: dict[str, Task] = {}
        self.taken: Counter[str] = Counter()
        self._troubled = troubled
        self._forgets = forgets
        self._on_taken = on_taken

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request, or does what servers and networks do instead."""
        submits = self.submits(request)
        trouble = self.chance.choice(SUBMIT_TROUBLES if submits else ASK_TROUBLES) if self._troubled() else "none"
        if trouble == "is not there":
            raise httpx.ConnectError("refused")
        await asyncio.sleep(self.latency())
        match trouble:
            case "lost before":
                raise httpx.ReadError("cut")
            case "throttles":
                return self.throttles()
            case "errs before":
                return self.errs()
            case "refuses":
                return self.refuses()
        answer = self.take(request) if submits else self.answer(request)
        match trouble:
            case "lost after":
                raise httpx.ReadError("cut")
            case "errs after":
                return self.errs()
            case "garbage":
                return httpx.Response(200, html="<h1>Welcome</h1>")
            case "hangs":
                await asyncio.sleep(self.chance.uniform(10, 60))
        await asyncio.sleep(self.latency())
        return answer

    def take(self, request: httpx.Request) -> httpx.Response:
        """Takes a job, which from here on is paid."""
        prompt, model, callback_url = self.order(request)
        now = self.now()
        begins_at = now + self.chance.choice((0, SECOND))
        lasts = self.chance.choice((0, 2 * SECOND, 15 * SECOND, 60 * SECOND, None))
        forgotten_at = now + self.chance.randrange(60 * SECOND) if self.chance.random() < self._forgets else None
        task = Task(
            f"{self.name}-{len(self.tasks) + 1}",
            prompt,
            model,
            now,
            begins_at,
            None if lasts is None else begins_at + lasts,
            self.chance.choice(("succeeded", "succeeded", "failed")),
            forgotten_at,
            callback_url,
        )
        self.tasks[task.id] = task
        self.taken[prompt] += 1
        self._on_taken(task)
        return self.acknowledges(task)

    def latency(self) -> float:
        """Seconds on the way."""
        return self.chance.choice((0.0, 0.02, 0.3))

    @abstractmethod
    def submits(self, request: httpx.Request) -> bool:
        """Whether the request asks for a new job."""

    @abstractmethod
    def order(self, request: httpx.Request) -> tuple[str, str, str | None]:
        """The prompt, the model and the callback URL of a submission."""

    @abstractmethod
    def acknowledges(self, task: Task) -> httpx.Response:
        """The answer to a submission."""

    @abstractmethod
    def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer to any other request."""

    @abstractmethod
    def throttles(self) -> httpx.Response:
        """Too many requests."""

    def errs(self) -> httpx.Response:
        """An error of its own."""
        return httpx.Response(502, html="<h1>Bad Gateway</h1>")

    @abstractmethod
    def refuses(self) -> httpx.Response:
        """A refusal for good."""
