"""The stub with a stream that a test tells what happens on, and cuts when it likes."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .stub import Asked, Stub, problem


@dataclass
class Streaming(Stub):
    """`GET /v1/stream` gives every event behind `Last-Event-ID`, and goes on."""

    told: list[str] = field(default_factory=list)
    connections: list[Asked] = field(default_factory=list)
    """How the stream was asked for, each once it is listened to."""
    closed: bool = False
    """Whether it is refused for now."""

    def __post_init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[asyncio.Queue[str | None]] = []

    def tell(self, type: str, **data: Any) -> None:
        """Something happens."""
        document = {"id": f"ntf_{len(self.told) + 1}", "type": type, "timestamp": "2026-01-31T12:00:00.000Z"}
        text = json.dumps({**document, "job_id": data.get("id"), "data": data, "created_at": document["timestamp"]})
        self.told.append(f"id: {len(self.told) + 1}\nevent: {type}\ndata: {text}\n\n")
        self._send(self.told[-1])

    def cut(self) -> None:
        """Every connection ends."""
        self._send(None)

    async def endpoint(self, request: Request) -> Response:
        if request.url.path != "/v1/stream":
            return await super().endpoint(request)
        if self.closed:
            return problem(503, "Not possible at the moment.")
        self._loop = asyncio.get_running_loop()
        return StreamingResponse(self._events(request), media_type="text/event-stream")

    async def _events(self, request: Request) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        place = int(request.headers.get("last-event-id", len(self.told)))
        missed = self.told[place:]
        self._listeners.append(queue)
        self.connections.append(Asked("GET", "/v1/stream", dict(request.query_params), dict(request.headers), None))
        try:
            yield f"id: {place}\n\n"
            for event in missed:
                yield event
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.remove(queue)

    def _send(self, event: str | None) -> None:
        if self._loop is not None:
            for queue in [*self._listeners]:
                self._loop.call_soon_threadsafe(queue.put_nowait, event)
