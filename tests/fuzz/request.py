"""A whole request, as the application gets it from the server: whatever it is, the answer is no 5xx.

An input reads like a request: a line with method and target, headers, an empty line, the body. `{jobs}` and the like in
its target stand for what is there. The key of the API is sent with each.
"""

import re
from collections.abc import Iterable

from postback.api.calls import CALLS
from providers.jsontext import dumps
from tests.api.corpus import NOT_A_CALLBACK, NOT_JSON
from tests.api.stage import ORDER
from tests.samples.table import SAMPLES

from .world import HOOK, World

JSON = b"content-type: application/json\n\n"
BODIES = {
    "POST /v1/jobs": ORDER | {"parameters": {"size": "512*512"}, "metadata": {"a": 1}},
    "POST /v1/jobs/batch": {"jobs": [ORDER, ORDER]},
    "POST /v1/subscribers": HOOK,
    "PATCH /v1/subscribers/{id}": {"enabled": False, "max_in_flight": 3},
    "POST /v1/subscribers/{id}/rotate-secret": {"grace": "1h"},
    "POST /v1/subscribers/{id}/test": {"type": "job.succeeded"},
    "POST /v1/subscribers/{id}/recover": {"since": "2023-11-14T00:00:00Z"},
}
WORLD = World()


def seeds() -> Iterable[bytes]:
    """Each call of the API with all that it takes, and callbacks of every kind."""
    for call in CALLS:
        noun = call.path.split("/")[2] if call.path.startswith("/v1/") else "artifacts"
        line = f"{call.method} {call.path.replace('{id}', f'{{{noun}}}')}"
        queries = [*(query.name for query in call.queries if query.place == "query"), *["cursor"] * call.paged]
        target = line + "?limit=2" * call.paged
        yield target.encode() + b"\n"
        yield f"{target}{'&' if call.paged else '?'}{'&'.join(f'{name}=a' for name in queries)}\n".encode()
        if call.body is not None:
            headers = b"\nidempotency-key: a\n" + JSON
            yield line.encode() + headers + dumps(BODIES.get(f"{call.method} {call.path}", {}))
            yield line.encode() + headers + dumps(dict.fromkeys(call.body.model_fields))
    for body in (*(sample.body for sample in SAMPLES), *NOT_JSON.values(), *NOT_A_CALLBACK.values()):
        if len(body) < 3_000:
            yield b"POST /callbacks/{token}\n" + JSON + body
    yield b"POST /callbacks/{used}\ncontent-encoding: gzip\ncontent-length: 9\n\n{}"


def judge(data: bytes) -> None:
    """An exception of the application's comes through as it is."""
    head, _, body = data.partition(b"\n\n")
    first, *rest = head.split(b"\n")
    method, _, target = first.partition(b" ")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in rest)]
    if not re.fullmatch(rb"[A-Z]{1,20}", method):
        return  # the server answers this itself
    status, answer = WORLD.ask(method.decode(), target, headers, body)
    assert 200 <= status < 500, answer
