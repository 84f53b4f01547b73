"""The routes of calls: one for each path."""

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from postback.api import requests
from postback.api.call import Call
from postback.house import House
from receiver import intake
from receiver.problems import Problem


def routes(house: House, calls: Sequence[Call]) -> list[Route]:
    """Those of the calls that this process's roles answer: the one that is asked for most, then those without a
    parameter."""
    paths: dict[str, dict[str, Call]] = {}
    for call in calls:
        if not call.roles or house.roles.intersection(call.roles):
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
