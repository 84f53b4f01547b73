"""Clients that do not read their answers: hung up on, while others are answered and nothing is logged as an error."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from structlog.testing import capture_logs

from postback.house import open_house
from postback.inbound import BoundedProtocol
from postback.serve import listen, serving

from .stage import FRONT, settings

pytestmark = pytest.mark.anyio

LONG = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
SHORT = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class Quick(BoundedProtocol):
    ANSWER_SECONDS = 0.5


@pytest.fixture
async def serving_at(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    with listen("127.0.0.1", 0) as listening:
        house = await open_house(settings(tmp_path, sqlite_url), FRONT)
        async with serving(house, listening, Quick) as server:
            task = asyncio.create_task(server.serve(sockets=[listening]))
            yield listening.getsockname()[1], server
            server.should_exit = True
            await asyncio.wait_for(task, 30)


async def asked(port: int, requests: bytes) -> socket.socket:
    """A connection that has asked and reads nothing, with as little room for answers as the system allows."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, requests)
    return client


async def healthy(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(SHORT)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer.startswith(b"HTTP/1.1 200")


Serving = tuple[int, uvicorn.Server]


async def test_who_reads_nothing_is_hung_up_on(serving_at: Serving) -> None:
    port, server = serving_at
    with capture_logs() as logs:
        clients = [await asked(port, LONG * 40) for _ in range(20)]
        assert await healthy(port)
        async with asyncio.timeout(20):
            while server.server_state.connections:
                await asyncio.sleep(0.05)
        assert await healthy(port)
    for client in clients:
        client.close()
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_who_reads_slowly_gets_all_of_it(serving_at: Serving) -> None:
    client = await asked(serving_at[0], LONG.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    loop = asyncio.get_running_loop()
    got = b""
    async with asyncio.timeout(60):
        while part := await loop.sock_recv(client, 4_096):
            got += part
            await asyncio.sleep(0.02)
    client.close()
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert len(body) == length > 50_000


async def test_who_hangs_up_meanwhile_is_nobodys_error(serving_at: Serving, caplog: pytest.LogCaptureFixture) -> None:
    port, _ = serving_at
    with capture_logs() as logs:
        for _ in range(30):
            (await asked(port, LONG * 40)).close()
        assert await healthy(port)
        await asyncio.sleep(0)
    assert [line for line in logs if line["log_level"] == "error"] == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
