"""The HTTP application of one process: the routes of its roles, and every error as a problem document or a page."""

import contextlib
from collections.abc import AsyncIterator

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger.errors import KeyReused, LedgerError, NotFound, Refused, Unavailable
from ledger.pages import BadCursor
from postback.api import open_calls, paths
from postback.api.headers import BoundedHeaders
from postback.deferred import Deferred
from postback.house import House
from receiver.problems import Problem, internal

log = structlog.get_logger()

_PROBLEM_KINDS: dict[type[LedgerError], str] = {
    NotFound: "not-found",
    KeyReused: "idempotency-key-reused",
    Refused: "conflict",
    BadCursor: "bad-cursor",
    Unavailable: "unavailable",
}
"""What each ledger error is on the wire, the more special first."""


def create_app(house: House) -> Starlette:
    """The application. What needs no key is there at once; its lifespan loads the rest, starts the house's loops, and
    stops them."""
    later = Deferred(house)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            await later.load()
            await house.start(app)
            yield
        finally:
            await house.stop()

    routes = paths.routes(house, open_calls.CALLS)
    if house.eventbridge is not None:
        routes.append(Route(house.eventbridge.path, house.eventbridge.receive, methods=["POST"]))

    async def explain(request: Request, error: Exception) -> Response:
        return later.explain(request, _problem_of(request, error))

    app = Starlette(
        routes=routes,
        middleware=[Middleware(BoundedHeaders)],
        lifespan=lifespan,
        exception_handlers=dict.fromkeys((Problem, LedgerError, HTTPException, Exception), explain),
    )
    # An address is right or wrong: a redirect would go where the Host header says, the bearer key with it.
    app.router.redirect_slashes = False
    app.router.default = later
    return app


def _problem_of(request: Request, error: Exception) -> Problem:
    """What is told of an error. Of one that nobody foresaw it is nothing, and the log has the rest."""
    match error:
        case Problem():
            return error
        case HTTPException(status_code=405):
            return Problem("method-not-allowed", "This address takes another method.", headers=error.headers)
        case HTTPException(status_code=404):
            return Problem("not-found", "There is nothing here.")
        case HTTPException():
            return Problem("bad-request", "The request cannot be understood.")
    kind = next((kind for known, kind in _PROBLEM_KINDS.items() if isinstance(error, known)), None)
    if kind is not None:
        return Problem(kind, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    # The path is left out: a callback's path is its authority.
    log.error("unexpected", method=request.method, exc_info=error)
    return internal()
