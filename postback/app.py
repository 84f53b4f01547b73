"""The HTTP application of one process: the routes of its roles, and every error as a problem document."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ledger.errors import KeyReused, LedgerError, NotFound, Refused, Unavailable
from ledger.pages import BadCursor
from postback.api import docs
from postback.api.calls import CALLS, Call
from postback.api.headers import BoundedHeaders
from postback.house import House
from receiver import eventbridge
from receiver.problems import Problem

log = structlog.get_logger()

_PROBLEM_OF: dict[type[LedgerError], str] = {
    NotFound: "not-found",
    KeyReused: "idempotency-key-reused",
    Refused: "conflict",
    BadCursor: "bad-cursor",
    Unavailable: "unavailable",
}
"""What each ledger error is on the wire, the more special first."""


def create_app(house: House) -> Starlette:
    """The application; its lifespan starts and stops the house's loops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await house.start(app)
        try:
            yield
        finally:
            await house.stop()

    routes = _routes(house, [call for call in CALLS if not call.roles or house.roles.intersection(call.roles)])
    if house.eventbridge is not None:
        routes.append(Route(eventbridge.PATH, house.eventbridge.receive, methods=["POST"]))
    if "api" in house.roles:
        routes += [Route("/openapi.json", docs.describe), Route("/docs", docs.show)]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(BoundedHeaders)],
        lifespan=lifespan,
        exception_handlers={
            Problem: _problem,
            LedgerError: _ledger_error,
            HTTPException: _http_exception,
            Exception: _unexpected,
        },
    )
    # An address is right or wrong: a redirect would go where the Host header says, the bearer key with it.
    app.router.redirect_slashes = False
    return app


def _routes(house: House, calls: Sequence[Call]) -> list[Route]:
    """One route for each path, those without a parameter first."""
    paths: dict[str, dict[str, Call]] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method] = call
    return [Route(path, _Path(house, paths[path])) for path in sorted(paths, key=lambda path: "{" in path)]


class _Path:
    """All calls of one path. It takes every method, so that a 405 names those of this path and no other's."""

    def __init__(self, house: House, methods: Mapping[str, Call]) -> None:
        self._house = house
        self.methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = self.methods.get("GET" if request.method == "HEAD" else request.method)
        if call is None:
            allowed = sorted({*self.methods, *(["HEAD"] if "GET" in self.methods else [])})
            raise Problem(
                "method-not-allowed", "This address takes another method.", headers={"Allow": ", ".join(allowed)}
            )
        if not call.open:
            _authorize(self._house, request)
        if "\x00" in request.path_params.get("id", ""):  # PostgreSQL cannot even be asked
            raise Problem("not-found", "There is nothing here.")
        response = await call.handler(self._house, request)
        await response(scope, receive, send)


def _authorize(house: House, request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    good = scheme.lower() == "bearer" and secrets.compare_digest(key.strip().encode(), house.api_key.encode())
    if not good:
        raise Problem(
            "unauthorized",
            "Send the API key as 'Authorization: Bearer KEY'. The server keeps it in POSTBACK_HOME/api.key "
            "unless POSTBACK_API_KEY is set.",
            headers={"WWW-Authenticate": "Bearer"},
        )


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _ledger_error(request: Request, error: Exception) -> Response:
    kind = next((kind for known, kind in _PROBLEM_OF.items() if isinstance(error, known)), None)
    if kind is None:
        return await _unexpected(request, error)
    return Problem(kind, f"{str(error)[:1].upper()}{str(error)[1:]}.").response()


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return Problem("method-not-allowed", "This address takes another method.", headers=error.headers).response()
    if error.status_code == 404:
        return Problem("not-found", "There is nothing here.").response()
    return Problem("bad-request", "The request cannot be understood.").response()


async def _unexpected(request: Request, error: Exception) -> Response:
    # The path is left out: a callback's path is its authority.
    log.error("unexpected", method=request.method, exc_info=error)
    return Problem("internal", "Something went wrong on our side; the log says what.").response()
