"""A stand-in for the management API: it answers what a test says, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "the-right-key"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Stub:
    """`answers` maps `GET /v1/…` to the responses it gives in turn; the last one stays."""

    url: str = ""
    answers: dict[str, list[Response]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, call: str, *bodies: Any, status: int = 200) -> None:
        self.answers[call] = [JSONResponse(body, status) for body in bodies]

    def refuse(self, call: str, status: int, detail: str, **more: Any) -> None:
        self.answers[call] = [problem(status, detail, **more)]

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def endpoint(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append(
            Asked(
                request.method,
                request.url.path,
                dict(request.query_params),
                dict(request.headers),
                json.loads(body) if body else None,
            )
        )
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return problem(401, "A valid API key is needed.")
        turns = self.answers.get(f"{request.method} {request.url.path}")
        if not turns:
            return problem(404, f"There is nothing at {request.url.path}.")
        return turns.pop(0) if len(turns) > 1 else turns[0]


def problem(status: int, detail: str, **more: Any) -> Response:
    """An `application/problem+json`."""
    content = {"type": "about:blank", "title": "Refused", "status": status, "detail": detail, **more}
    return JSONResponse(content, status, media_type="application/problem+json")


@contextmanager
def running(stub: Stub) -> Iterator[None]:
    """Serves the stub on a free port of the loopback."""
    methods = ["GET", "POST", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", stub.endpoint, methods=methods)])
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="critical", lifespan="off", ws="none"))
    socket = server.config.bind_socket()
    stub.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        socket.close()
