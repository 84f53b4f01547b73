"""The echo subscriber: a small web application that verifies every webhook and keeps it."""

import time
from collections import deque
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from postback.demo.webhook import Webhook
from providers.jsontext import BadJson

PATH = "/webhooks"
MOST_KEPT = 1_000


class Echo:
    """Answers 204 to what verifies and 401 to what does not. `hear`, once set, is called with each webhook."""

    def __init__(self) -> None:
        self.secret: str | None = None
        self.webhooks: deque[Webhook] = deque(maxlen=MOST_KEPT)
        self.hear: Callable[[Webhook], None] = lambda _: None

    def trust(self, secret: str) -> None:
        """Verifies with this secret from now on."""
        self.secret = secret

    def app(self) -> Starlette:
        """The application: `POST /webhooks` receives, `GET /webhooks` shows what was received."""
        return Starlette(routes=[Route(PATH, self.receive, methods=["POST"]), Route(PATH, self.show, methods=["GET"])])

    async def receive(self, request: Request) -> Response:
        """Keeps a webhook. A real subscriber would now do its work, once for each webhook id."""
        if self.secret is None:
            return Response(status_code=503)
        try:
            webhook = Webhook.received(self.secret, request.headers, await request.body(), time.time())
        except BadJson:
            return Response(status_code=400)
        self.webhooks.append(webhook)
        self.hear(webhook)
        return Response(status_code=204 if webhook.verdict.ok else 401)

    async def show(self, _: Request) -> Response:
        """What was received, newest first."""
        return JSONResponse(
            [
                {"id": webhook.id, "type": webhook.type, "verified": webhook.verdict.ok, "data": webhook.data}
                for webhook in reversed(self.webhooks)
            ]
        )
