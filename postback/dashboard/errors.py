"""What went wrong, as a page for a person: programs get the problem document instead."""

from starlette.requests import Request
from starlette.responses import Response

from postback.dashboard import shell
from postback.dashboard.routes import Door
from postback.house import House
from receiver.problems import KINDS, Problem

_FOR_PROGRAMS = ("/v1/", "/callbacks/")


def is_for_person(request: Request) -> bool:
    """Whether a browser asks for a page of ours, or for what nobody answers at all."""
    endpoint = request.scope.get("endpoint")
    ours = isinstance(endpoint, Door) or (endpoint is None and not request.scope["path"].startswith(_FOR_PROGRAMS))
    return ours and "text/html" in request.headers.get("accept", "")


def page(house: House, request: Request, problem: Problem) -> Response:
    """The problem as a page."""
    kind = KINDS[problem.kind]
    response = shell.draw(house, request, "error.html", kind.status, title=kind.title, detail=problem.detail)
    response.headers.update(problem.headers or {})
    return shell.secure(response)
