"""Getting a certificate over real HTTP, through the guard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from receiver.certificates import MAX_BYTES, fetch, read
from receiver.egress import Egress, EgressError

from . import signer

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def answering(status: str, body: bytes) -> AsyncIterator[str]:
    """The URL of a server that has only one answer."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nLocation: /b.pem\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.pem"


@asynccontextmanager
async def egress() -> AsyncIterator[Egress]:
    opened = Egress([ip_network("127.0.0.0/8")], 5_000, connections=1)
    yield opened
    await opened.close()


@pytest.mark.parametrize("body", [signer.certificate(), b"", b"x" * MAX_BYTES], ids=["certificate", "empty", "longest"])
async def test_what_is_there(body: bytes) -> None:
    async with answering("200 OK", body) as url, egress() as opened:
        assert await read(opened, url) == body


@pytest.mark.parametrize("status", ["404 Not Found", "302 Found", "206 Partial Content", "500 Oops"])
async def test_nothing_but_200(status: str) -> None:
    async with answering(status, signer.certificate()) as url, egress() as opened:
        with pytest.raises(EgressError, match=f"instead of a certificate came HTTP {status[:3]}"):
            await read(opened, url)


async def test_too_much() -> None:
    async with answering("200 OK", b"x" * (MAX_BYTES + 1)) as url, egress() as opened:
        with pytest.raises(EgressError, match="at most 16384 bytes"):
            await read(opened, url)


async def test_the_guard_stands_before_it() -> None:
    async with answering("200 OK", signer.certificate()) as url:
        with pytest.raises(EgressError) as caught:
            await fetch(url)
    assert caught.value.error_class == "guard"
