"""The HTTP application of one process: the routes of its roles, and every error as a problem document or a page."""

import contextlib
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
from postback.api import docs, requests
from postback.api.calls import CALLS, Call
from postback.api.headers import BoundedHeaders
from postback.dashboard import errors
from postback.dashboard.routes import routes as pages
from postback.house import House
from receiver import eventbridge, intake
from receiver.problems import Problem

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
        routes += [Route("/openapi.json", docs.describe), Route("/docs", docs.show), *pages(house)]

    async def explain(request: Request, error: Exception) -> Response:
        problem = _problem_of(request, error)
        if "api" in house.roles and errors.is_for_person(request):
            return errors.page(house, request, problem)
        return problem.response()

    app = Starlette(
        routes=routes,
        middleware=[Middleware(BoundedHeaders)],
        lifespan=lifespan,
        exception_handlers=dict.fromkeys((Problem, LedgerError, HTTPException, Exception), explain),
    )
    # An address is right or wrong: a redirect would go where the Host header says, the bearer key with it.
    app.router.redirect_slashes = False
    return app


def _routes(house: House, calls: Sequence[Call]) -> list[Route]:
    """One route for each path: the one that is asked for most, then those without a parameter."""
    paths: dict[str, dict[str, Call]] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method] = call
    order = sorted(paths, key=lambda path: (path != intake.PATH, "{" in path))
    return [Route(path, _Path(house, paths[path])) for path in order]


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
            await _authorize(self._house, request, call)
        if call.takes is not None:
            requests.only(request, call.takes)
        if "\x00" in request.path_params.get("id", ""):  # PostgreSQL cannot even be asked
            raise Problem("not-found", "There is nothing here.")
        response = await call.handler(self._house, request)
        await response(scope, receive, send)


async def _authorize(house: House, request: Request, call: Call) -> None:
    caller = await house.callers.of_header(request.headers.get("authorization", ""))
    caller.require(call.scope)
    request.state.caller = caller


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
    return Problem("internal", "Something went wrong on our side; the log says what.")
