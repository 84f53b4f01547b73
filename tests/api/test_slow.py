"""Connections that are silent, or whose headers or body never end: closed by a deadline, while others are answered."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postback.house import open_house
from postback.inbound import MAX_HEAD, BoundedProtocol
from postback.serve import listen, serving

from .stage import API_KEY, FRONT, settings

pytestmark = pytest.mark.anyio

AT_ONCE = 200
CHUNKED = "transfer-encoding: chunked"
POST = f"POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {API_KEY}\r\ncontent-length: 100\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


class Quick(BoundedProtocol):
    """In a second, even where much else runs, whoever is not slow has sent a head."""

    HEAD_SECONDS = 1.0
    BODY_SECONDS = 1.0


@pytest.fixture
async def port(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> AsyncIterator[int]:
    with listen("127.0.0.1", 0) as listening:
        house = await open_house(settings(tmp_path, sqlite_url), FRONT)
        async with serving(house, listening, Quick) as server:
            task = asyncio.create_task(server.serve(sockets=[listening]))
            yield listening.getsockname()[1]
            server.should_exit = True
            await asyncio.wait_for(task, 30)


async def slow(port: int, first: bytes, drip: bytes = b"") -> bytes:
    """All that the server says to somebody who sends this, and then bytes one by one, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)

    async def go_on() -> None:
        while drip and not writer.is_closing():
            writer.write(drip)
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(go_on())
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        dripping.cancel()
        writer.transport.abort()


SLOW = {
    "silent": (b"", b""),
    "empty lines": (b"\r\n", b"\r\n"),
    "half a header": (b"GET /healthz HTTP/1.1\r\nx-slow: ", b""),
    "a header byte by byte": (b"GET /healthz HTTP/1.1\r\nx-slow: ", b"a"),
    "headers without end": (b"GET /healthz HTTP/1.1\r\n", b"x-slow: a\r\n"),
    "half a body": (POST.encode() + b"{", b""),
    "a body byte by byte": (POST.replace("100", "100000").encode(), b" "),
    "a chunked body without end": (POST.replace("content-length: 100", CHUNKED).encode(), b"1\r\n \r\n"),
    "a body nobody reads": (b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n", b"a"),
    "a second request byte by byte": (HEALTH + b"GET /healthz HTTP/1.1\r\nx: ", b"a"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SLOW)
async def test_a_slow_connection_is_closed(port: int, kind: str) -> None:
    first, drip = SLOW[kind]
    said = await slow(port, first, drip)
    if kind == "silent":
        assert said == b""
    elif first.startswith(HEALTH) or kind == "a body nobody reads":
        assert said.startswith(b"HTTP/1.1 200")
    elif said or not drip:
        # Of an answer that meets bytes still on their way, nothing may arrive: the connection is reset.
        assert said.startswith(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"), said


async def test_many_slow_connections_do_not_hold_up_others(port: int) -> None:
    kinds = [SLOW[kind] for kind in ("silent", "a header byte by byte", "half a body", "a body byte by byte")]
    held = [asyncio.create_task(slow(port, *kinds[i % len(kinds)])) for i in range(AT_ONCE)]
    try:
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEALTH)
            assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 200")
            writer.close()
    finally:
        closed = await asyncio.gather(*held)
    assert len(closed) == AT_ONCE


async def test_headers_that_are_too_large_are_431_before_they_end(port: int) -> None:
    said = await slow(port, b"GET /healthz HTTP/1.1\r\nx-large: " + b"a" * (MAX_HEAD + 1))
    assert said.startswith(b"HTTP/1.1 431 ")


async def test_who_keeps_a_connection_is_not_hurried(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(HEALTH)
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 200")
        while await asyncio.wait_for(reader.readline(), 5) != b"\r\n":
            pass
        await reader.readexactly(len(b'{"status":"ok"}'))
        # Longer than the deadline for headers: between requests, uvicorn's own keep-alive counts.
        await asyncio.sleep(0.5)
    writer.close()
