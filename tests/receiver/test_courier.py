"""One parcel carried to a real endpoint: what leaves, what comes back, and what is remembered of it."""

import asyncio
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.clock import SECOND
from ledger.keys import SecretKeys
from receiver.advice import UNSIGNED
from receiver.courier import Carried, Courier
from receiver.egress import MAX_EXCERPT, Egress
from receiver.payload import MAX_BODY
from receiver.signing import new_secret, verify
from tests.receiver.endpoints import OK, answering, door, forever, saying, serve

pytestmark = pytest.mark.anyio

KEYS = SecretKeys(["a secret key for tests"])
SECRET = new_secret(lambda count: b"s" * count)
OLD_SECRET = new_secret(lambda count: b"o" * count)
NOW = 1_700_000_000_123
BODY = b'{"type":"job.succeeded","timestamp":"2023-11-14T22:13:20.000Z","data":{"id":"job_1","input":{}}}'


def parcel(url: str, headers: dict[str, str] | None = None, **changes: Any) -> SimpleNamespace:
    row = {
        "id": "dlv_1",
        "attempt_count": 2,
        "notification_id": "ntf_1",
        "body": BODY,
        "url": url,
        "payload": "full",
        "sealed_headers": KEYS.encrypt(json.dumps(headers)) if headers else None,
        "sealed_secret": KEYS.encrypt(SECRET),
        "sealed_private_key": None,
        "old_secrets": [],
    }
    return SimpleNamespace(**row | changes)


async def carry(egress: Egress, url: str, headers: dict[str, str] | None = None, **changes: Any) -> Carried:
    return await Courier(KEYS, egress).carry(parcel(url, headers, **changes), NOW)


def heard(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:]), body


async def test_a_delivery_and_what_is_remembered_of_it() -> None:
    answer = b"HTTP/1.1 202 Fine\r\nX-Request-Id: r-1\r\nSet-Cookie: a=canary\r\nContent-Length: 6\r\n\r\nthanks"
    async with serve(answer) as server, door(resolver=answering("127.0.0.1")) as egress:
        carried = await carry(egress, server.url("hook.test"), {"X-Tenant": "acme"})
    headers, body = heard(server.heard[0])
    assert body == BODY
    assert verify(SECRET, headers, body, NOW // SECOND, tolerance=0).ok
    assert (headers["postback-attempt"], headers["content-type"]) == ("3", "application/json")
    assert headers["X-Tenant"] == "acme"
    attempt = carried.attempt
    assert (attempt.started_at, attempt.status_code) == (NOW, 202)
    assert (attempt.error_class, attempt.error, attempt.response_excerpt) == (None, None, "thanks")
    assert attempt.request_headers == {
        "content-type": "application/json",
        "postback-attempt": "3",
        "webhook-id": "ntf_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": headers["webhook-signature"],
        "X-Tenant": "…",
    }
    assert attempt.response_headers == {"x-request-id": "r-1", "set-cookie": "…", "content-length": "6"}
    assert attempt.timing is not None
    assert {name for name, spent in attempt.timing.items() if spent is None} == {"tls"}
    assert carried.retry_after is None


async def test_an_answer_that_is_not_2xx() -> None:
    answer = b"HTTP/1.1 503 Later\r\nRetry-After: 90\r\nContent-Length: 5\r\n\r\n\x00\xff no"
    async with serve(answer) as server, door() as egress:
        carried = await carry(egress, server.url())
    assert carried.retry_after == "90"
    assert (carried.attempt.status_code, carried.attempt.error_class) == (503, "status")
    assert carried.attempt.error == "the subscriber answered HTTP 503"
    assert carried.attempt.response_excerpt == "\ufffd\ufffd no"


async def test_a_long_answer_is_cut() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000
    async with serve(answer) as server, door() as egress:
        attempt = (await carry(egress, server.url())).attempt
    assert attempt.response_excerpt == "x" * MAX_EXCERPT + " […cut]"


async def test_an_endpoint_that_echoes_everything() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = server.heard[0] + SECRET.encode()
        await saying(b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n" % len(said) + said)(reader, writer)

    custom = {"Authorization": "Bearer canary-canary", "X-Key": "another canary"}
    async with serve(echo) as server, door() as egress:
        carried = await carry(egress, f"http://127.0.0.1:{server.port}/", custom)
    assert b"Bearer canary-canary" in server.heard[0]
    remembered = json.dumps(carried.attempt._asdict(), ensure_ascii=False)
    assert "canary" not in remembered
    assert SECRET.removeprefix("whsec_") not in remembered
    assert "Authorization: …" in (carried.attempt.response_excerpt or "")


async def test_custom_headers_cannot_stand_in_for_ours() -> None:
    custom = {"Webhook-Signature": "v1,forged", "webhook-id": "x", "Content-Type": "text/plain", "X-A": "b"}
    async with serve(OK) as server, door() as egress:
        attempt = (await carry(egress, server.url(), custom)).attempt
    head, _ = heard(server.heard[0])
    assert len(server.heard[0].lower().split(b"webhook-signature")) == 2
    assert verify(SECRET, head, BODY, NOW // SECOND).ok
    assert attempt.request_headers is not None
    assert attempt.request_headers["content-type"] == head["content-type"] == "application/json"
    assert attempt.request_headers["X-A"] == "…"


async def test_each_live_secret_signs() -> None:
    old = [{"sealed": KEYS.encrypt(OLD_SECRET), "until": NOW + 1}]
    async with serve(OK) as server, door() as egress:
        await carry(egress, server.url(), old_secrets=old)
    headers, body = heard(server.heard[0])
    assert all(verify(secret, headers, body, NOW // SECOND).ok for secret in (SECRET, OLD_SECRET))


@pytest.mark.parametrize("payload", ["full", "thin"])
async def test_what_is_signed_is_what_is_sent(payload: str) -> None:
    large = BODY.replace(b"{}", b'"' + b"x" * MAX_BODY + b'"')
    async with serve(OK) as server, door() as egress:
        await carry(egress, server.url(), payload=payload, body=large)
    headers, body = heard(server.heard[0])
    assert verify(SECRET, headers, body, NOW // SECOND).ok
    assert json.loads(body)["data"]["id"] == "job_1"
    assert ("thinned" in json.loads(body)["data"]) == (payload == "full")


async def test_a_failure_says_in_which_phase() -> None:
    async with serve(forever) as server, door(timeout_ms=150) as egress:
        late = (await carry(egress, server.url())).attempt
        asleep = (await carry(egress, server.url(scheme="https"))).attempt
    assert (late.error_class, late.status_code, late.response_headers) == ("timeout", None, None)
    assert late.error == f"http://127.0.0.1:{server.port}: connected, but no answer within 150 ms"
    assert late.request_headers is not None
    assert late.timing is not None
    assert late.timing["response"] is not None
    assert asleep.error == f"https://127.0.0.1:{server.port}: no TLS handshake within 150 ms"
    assert asleep.request_headers is None
    assert asleep.timing is not None
    assert asleep.duration_ms == sum(spent for spent in asleep.timing.values() if spent is not None)


async def test_what_never_left_has_no_headers() -> None:
    async def nowhere(host: str) -> Sequence[str]:
        raise OSError("no such name")

    async with door(allowed=(), resolver=nowhere) as egress:
        refused = (await carry(egress, "http://127.0.0.1:9/hook?key=canary")).attempt
        unknown = (await carry(egress, "http://hook.test/?key=canary")).attempt
    assert (refused.error_class, unknown.error_class) == ("guard", "dns")
    assert refused.request_headers is unknown.request_headers is None
    assert "canary" not in f"{refused.error} {unknown.error}"


@pytest.mark.parametrize(
    "changes",
    [
        {"sealed_secret": KEYS.encrypt("canary")},
        {"sealed_secret": "canary"},
        {"sealed_secret": ""},
        {"sealed_headers": "canary"},
        {"sealed_secret": SecretKeys(["quite another key"]).encrypt(SECRET)},
    ],
    ids=["not a secret", "not sealed", "forgotten", "headers not sealed", "other keys"],
)
async def test_a_secret_that_cannot_sign_is_a_visible_error(changes: dict[str, Any]) -> None:
    async with serve(OK) as server, door() as egress:
        carried = await carry(egress, server.url(), **changes)
    assert server.connects == 0
    assert (carried.attempt.error_class, carried.attempt.duration_ms) == ("guard", 0)
    assert (carried.attempt.error or "").startswith(UNSIGNED)
    assert "canary" not in (carried.attempt.error or "")
