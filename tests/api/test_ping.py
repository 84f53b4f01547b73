"""`POST /v1/subscribers/{id}/test`: a real delivery, waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from ledger import subscribers
from ledger.clock import system_now

from .stage import Hurrying, Stage, served, settings

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def webhook(status: str, heard: list[bytes]) -> AsyncIterator[str]:
    """The URL of a subscriber that answers everything so."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        heard.append(head + await reader.readexactly(int(length.partition(b":")[2])))
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


@pytest.mark.parametrize(("status", "outcome"), [("200 OK", "delivered"), ("500 Oops", "pending")])
async def test_the_first_attempt_is_the_answer(tmp_path: Path, sqlite_url: str, status: str, outcome: str) -> None:
    heard: list[bytes] = []
    given = settings(tmp_path, sqlite_url, allow_networks="127.0.0.0/8")
    async with webhook(status, heard) as url, served(given, frozenset({"api", "forwarder"}), system_now) as stage:
        made = await stage.subscribe(url=url, events=["job.failed"])
        answer = await stage.client.post(f"/v1/subscribers/{made['id']}/test")
    assert answer.status_code == 200
    delivery = answer.json()
    assert (delivery["type"], delivery["status"], delivery["attempt_count"]) == ("postback.ping", outcome, 1)
    assert delivery["job_id"] is None
    assert delivery["attempts"][0]["status_code"] == int(status.split()[0])
    assert delivery["attempts"][0]["response_excerpt"] == "hi"
    head, _, body = heard[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:] if "signature" not in line)
    signature = next(line.split(": ", 1)[1] for line in head.decode().split("\r\n") if "signature" in line.lower())
    sent = Webhook(made["secret"]).verify(body, headers | {"webhook-signature": signature})
    assert sent["data"] == {"subscriber_id": made["id"]}


async def test_without_an_attempt_in_time_the_answer_is_202(tmp_path: Path, sqlite_url: str) -> None:
    async with served(settings(tmp_path, sqlite_url), frozenset({"api"}), Hurrying()) as stage:
        answer = await stage.client.post(f"/v1/subscribers/{await stage.listener()}/test")
        assert answer.status_code == 202
        assert (answer.json()["status"], answer.json()["attempts"]) == ("pending", [])


async def test_a_ping_is_a_notification_without_a_job(stage: Stage) -> None:
    listener = await stage.listener()
    await stage.ledger.write(subscribers.ping, listener)
    [ping] = (await stage.get("/v1/notifications", type="postback.ping"))["data"]
    assert (ping["job_id"], ping["data"]) == (None, {"subscriber_id": listener})
    assert len(await stage.ids("/v1/deliveries", subscriber_id=listener)) == 1
