"""What a process answers besides the calls that need no key: the management API, and for people the dashboard."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from postback.api import docs, open_calls, paths
from postback.api.calls import CALLS
from postback.dashboard import errors
from postback.dashboard.routes import routes as pages
from postback.house import House
from receiver.problems import Problem


class Management:
    """An ASGI application, to be asked for what no other route answers. Its errors are left to who asks."""

    def __init__(self, house: House) -> None:
        self._house = house
        routes = paths.routes(house, [call for call in CALLS if call not in open_calls.CALLS])
        if "api" in house.roles:
            routes += [Route("/openapi.json", docs.describe), Route("/docs", docs.show), *pages(house)]
        self.routes = routes
        self._router = Router(routes, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router(scope, receive, send)

    def explain(self, request: Request, problem: Problem) -> Response:
        """The answer to a request that failed: a page where a person asks for one."""
        if "api" in self._house.roles and errors.is_for_person(request):
            return errors.page(self._house, request, problem)
        return problem.response()
