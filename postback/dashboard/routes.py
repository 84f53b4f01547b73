"""Every page of the dashboard, as data, and the door that each request for one goes through."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from postback.dashboard import (
    callbacks,
    deliveries,
    job,
    jobs,
    keys,
    live,
    new_job,
    overview,
    recovery,
    shell,
    sign_in,
    static_files,
    subscriber_changes,
    subscribers,
)
from postback.dashboard.origin import is_ours
from postback.dashboard.page import Page
from postback.dashboard.session import session_of
from postback.house import House
from receiver.problems import Problem

ROUTES: tuple[Page, ...] = (
    *overview.ROUTES,
    *jobs.ROUTES,
    *job.ROUTES,
    *new_job.ROUTES,
    *callbacks.ROUTES,
    *deliveries.ROUTES,
    *recovery.ROUTES,
    *subscribers.ROUTES,
    *subscriber_changes.ROUTES,
    *sign_in.ROUTES,
    *keys.ROUTES,
    *live.ROUTES,
    *static_files.ROUTES,
)


def routes(house: House) -> list[Route]:
    """One route for each path, those without a parameter first."""
    paths: dict[str, dict[str, Page]] = {}
    for page in ROUTES:
        paths.setdefault(page.path, {})[page.method] = page
    return [Route(path, Door(house, paths[path])) for path in sorted(paths, key=lambda path: "{" in path)]


class Door:
    """All that is done at one path: for whom, from where, and with which headers the answer leaves."""

    def __init__(self, house: House, methods: Mapping[str, Page]) -> None:
        self._house = house
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = shell.secure(await self._answer(request))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        request.state.session = session = await session_of(self._house, request)
        page = self._methods.get("GET" if request.method == "HEAD" else request.method)
        if page is None:
            allowed = sorted({*self._methods, *(["HEAD"] if "GET" in self._methods else [])})
            raise Problem(
                "method-not-allowed", "This address takes another method.", headers={"Allow": ", ".join(allowed)}
            )
        if any("\x00" in value for value in request.path_params.values()):  # PostgreSQL cannot even be asked
            raise Problem("not-found", "There is nothing here.")
        if not is_ours(request, self._house.settings.public_url):
            raise Problem("forbidden", "This was not sent from a page of this dashboard. Open it there and try again.")
        if not page.open:
            if session is None:
                return _to_sign_in(request)
            session.require(page.scope)
        return await page.handler(self._house, request)


def _to_sign_in(request: Request) -> Response:
    # What was sent with a form is gone; then the page it came from is no better than the first.
    back = shell.address(request) if request.method in ("GET", "HEAD") else "/"
    where = "/sign-in" + (f"?{urlencode({'next': back})}" if back != "/" else "")
    if "hx-request" in request.headers:
        # A script would follow a redirect and put what it finds there into the page.
        return Response(headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)
