"""A stand-in for a subscriber: keeps what it gets and has it judged by the public libraries."""

import json
from collections.abc import Sequence
from typing import Any

import svix.webhooks
from e2e.wire import Reply, Request, Stage, Wire
from standardwebhooks.webhooks import Webhook


class Listener:
    """Every path is a webhook of its own. `replies` are given in their order, after the last 204."""

    def __init__(self, stage: Stage) -> None:
        self.received: list[Request] = []
        self.replies: dict[str, list[Reply | None]] = {}
        self.wire = Wire(stage, self._answer)

    def at(self, path: str) -> Sequence[Request]:
        return [request for request in self.received if request.path == path]

    async def _answer(self, request: Request) -> Reply | None:
        self.received.append(request)
        replies = self.replies.get(request.path)
        return replies.pop(0) if replies else Reply(204)


def verified(request: Request, secret: str) -> dict[str, Any]:
    """The notification in a request that both public libraries accept. Raises their errors."""
    svix.webhooks.Webhook(secret).verify(request.body, request.headers)
    said: dict[str, Any] = Webhook(secret).verify(request.body, request.headers)
    assert said == json.loads(request.body)
    assert set(said) == {"type", "timestamp", "data"}
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"].startswith("ntf_")
    return said
