"""`Hook`: what arrives is, byte for byte, what a subscriber gets."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from builders import done, rows
from standardwebhooks.webhooks import Webhook

from ledger import notifications
from ledger.outbox import body
from ledger.schema import notifications as table
from postback.cli.hook import Hook, Tried, body_of
from receiver.payload import MAX_BODY, fit
from tests.api.stage import SECRET, Stage

pytestmark = pytest.mark.anyio

NOTIFICATION: dict[str, Any] = {
    "id": "ntf_1",
    "job_id": None,
    "type": "postback.ping",
    "timestamp": "2026-01-31T12:00:00.000Z",
    "data": {},
    "created_at": "2026-01-31T12:00:00.000Z",
}
ODD: list[Any] = [
    {"words": '灯塔 \u2028\x85\x00\x7f"\\/ \U0001f98a', "": None, "z": 1, "a": 2},
    [1.0, -0.0, 1e300, 1.1e-7, 0.1 + 0.2, 2**64 + 1, 10**40, True, False],
    {"deep": [[[[{"x": []}]]]], "é": "é", "escaped": "\\ud800 \\n"},
]


def hook(answer: Any, **options: Any) -> Hook:
    return Hook("http://localhost:3000/hook", SECRET, transport=httpx.MockTransport(answer), **options)


@pytest.mark.parametrize("data", [*({"odd": one} for one in ODD), {"many": ["x" * 1_000] * 300}])
def test_a_body_survives_the_way_through_the_api(data: dict[str, Any]) -> None:
    stored = body("postback.ping", 1_700_000_000_000, data)
    told = json.loads(stored)
    row = json.loads(json.dumps(NOTIFICATION | told))
    assert body_of(row) == fit(stored, "full")
    assert len(body_of(row)) <= MAX_BODY


async def test_the_body_of_a_job_is_what_was_stored(stage: Stage) -> None:
    await stage.listener(events=["*"])
    await done(stage.ledger)
    stored = await rows(stage.ledger, table)
    assert len(stored) == 2
    for row in stored:
        assert body_of(await stage.get(f"/v1/notifications/{row.id}")) == row.body
        assert body_of(json.loads(json.dumps(notifications.document(row)))) == row.body


def test_it_is_signed_and_sent_as_a_webhook() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204, stream=httpx.ByteStream(b""))

    times = iter([5.0, 5.25])
    with hook(answer, clock=lambda: next(times)) as there:
        assert there.send(NOTIFICATION) == Tried(204, None, 250)
    (request,) = seen
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["postback-attempt"] == "1"
    assert request.headers["webhook-id"] == "ntf_1"
    assert Webhook(SECRET).verify(request.content, dict(request.headers)) == json.loads(body_of(NOTIFICATION))


@pytest.mark.parametrize("status", [200, 302, 307, 410, 500])
def test_any_answer_is_an_answer_and_no_redirect_is_followed(status: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        headers = {"location": "http://elsewhere.test/"}
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b"x" * 200_000))

    with hook(answer) as there:
        assert there.send(NOTIFICATION).status_code == status
    assert asked == ["http://localhost:3000/hook"]


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "connection refused"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "name or service not known"),
        (httpx.ReadTimeout("The read operation timed out"), "no answer within 15 s"),
        (httpx.RemoteProtocolError("Server disconnected."), "server disconnected"),
        (httpx.ReadError(""), "readError"),
    ],
)
def test_what_goes_wrong_is_told_in_words(failure: Exception, told: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise failure

    with hook(answer) as there:
        tried = there.send(NOTIFICATION)
    assert (tried.status_code, tried.error) == (None, told)


def test_an_answer_that_never_ends_is_left() -> None:
    clock = iter(range(0, 1_000, 4))

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            while True:
                yield b"."

    with hook(lambda _: httpx.Response(200, stream=Endless()), clock=lambda: float(next(clock))) as there:
        assert there.send(NOTIFICATION).status_code == 200
