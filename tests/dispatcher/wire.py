"""Both ends of the dispatcher's wires: providers that say what a test tells them to, and a receiver that works."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2 as httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger.ledger import Ledger
from ledger.tokens import CallbackTokens
from providers import PROVIDERS
from receiver.intake import Intake
from receiver.problems import Problem

from .virtual import Time

Step = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]
"""What a provider does with one request. It may raise what httpx raises."""


def says(status: int, body: Any = None, **headers: str) -> Step:
    """Answers with JSON; header names have underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx.Response(status, json=body, headers=named)


def breaks(error: Exception) -> Step:
    """Raises an httpx error."""

    def step(request: httpx.Request) -> httpx.Response:
        raise error

    return step


def task(status: str, task_id: str = "task-1", **output: Any) -> Step:
    """A DashScope task in that state."""
    return says(200, {"request_id": "r-1", "output": {"task_id": task_id, "task_status": status, **output}})


def done(task_id: str = "task-1", url: str = "https://images.example/1.png") -> Step:
    """A DashScope task that has succeeded."""
    metrics = {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
    return task("SUCCEEDED", task_id, results=[{"url": url}], task_metrics=metrics)


class Wire:
    """One provider's HTTP side. `submits` and `fetches` are its steps, of which the last repeats; calls are kept."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.submits: list[Step] = []
        self.fetches: list[Step] = []
        self.cancels: list[Step] = []
        self.submitted: list[httpx.Request] = []
        self.fetched: list[httpx.Request] = []
        self.times: dict[str, list[int]] = {"submit": [], "fetch": [], "cancel": []}

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        kind, steps = self._meaning(request)
        self.times[kind].append(self._time.now)
        {"submit": self.submitted, "fetch": self.fetched, "cancel": []}[kind].append(request)
        answer = (steps.pop(0) if len(steps) > 1 else steps[0])(request)
        return await answer if inspect.isawaitable(answer) else answer

    def _meaning(self, request: httpx.Request) -> tuple[str, list[Step]]:
        path = request.url.path
        if path.endswith("/cancel"):
            return "cancel", self.cancels
        if "/services/" in path or path.endswith("/images"):
            return "submit", self.submits
        return "fetch", self.fetches


class Receiver:
    """Our own receiver at the other end of the poller's wire: the real one, unless told to fail first.

    `faults` are status codes and httpx errors that come before it works again.
    """

    def __init__(self, ledger: Ledger, tokens: CallbackTokens, time: Time) -> None:
        async def problem(request: Request, error: Exception) -> Response:
            assert isinstance(error, Problem)
            return error.response()

        intake = Intake(ledger, tokens, PROVIDERS, max_body=1024 * 1024)
        routes = [Route("/callbacks/{token}", intake.receive, methods=["POST"])]
        app = Starlette(routes=routes, exception_handlers={Problem: problem})
        self._app = httpx.ASGITransport(app)
        self._time = time
        self.faults: Iterator[int | Exception] = iter(())
        self.posts: list[httpx.Request] = []
        self.times: list[int] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.posts.append(request)
        self.times.append(self._time.now)
        match next(self.faults, None):
            case int(status):
                return httpx.Response(status)
            case Exception() as error:
                raise error
        return await self._app.handle_async_request(request)
