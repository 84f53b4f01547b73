"""Downloads through the door: as large as their reader allows, and no longer than the deadline."""

import asyncio
import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509

from receiver.egress import EgressError
from tests.receiver.endpoints import OK, apart, certify, door, flooding, saying, serve

pytestmark = pytest.mark.anyio

LOOPS = ["asyncio", ("asyncio", {"use_uvloop": True})]


async def test_a_download_is_read_as_fast_as_it_is_taken() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async with serve(endless) as server, door() as egress, egress.get(server.url()) as stream:
        taken = 0
        async for chunk in stream.chunks:
            taken += len(chunk)
            if taken > 1_000_000:
                break
        for _ in range(200):
            await asyncio.sleep(0)
        assert sent < taken + 12_000_000, "the rest waits in the system's buffers"


LARGE = b"HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)


@pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_an_answer_that_had_to_wait_does_not_stop_the_next(secure: bool, tmp_path: Path) -> None:
    ours, trusting = certify(tmp_path, [x509.IPAddress(IPv4Address("127.0.0.1"))]) if secure else (None, None)
    async with serve(LARGE, ours) as server, door(timeout_ms=20_000, tls=trusting) as egress:
        url = server.url(scheme="https" if secure else "http")
        for _ in range(4):
            time.sleep(0.02)
            assert (await egress.post(url, {}, b"{}")).truncated
            async with egress.get(url) as stream:
                time.sleep(0.02)
                assert sum([len(chunk) async for chunk in stream.chunks]) == 100_000


@pytest.mark.parametrize("first", [b"", b"2\r\nok\r\n"])
async def test_an_endless_trailer_ends_a_download(first: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + first
    async with serve(flooding(head + b"0\r\nX: ", b"a")) as server, door(timeout_ms=60_000) as egress:
        with pytest.raises(EgressError, match="more than 512 KiB came"):
            async with egress.get(server.url()) as stream:
                assert [chunk async for chunk in stream.chunks] == [b"ok"]


async def test_a_download_in_small_pieces_may_be_large() -> None:
    pieces = b"1\r\nx\r\n" * 3 + b"400\r\n" + bytes(1_024) + b"\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces * 2_000 + b"0\r\n\r\n"
    async with serve(answer) as server, door() as egress, egress.get(server.url()) as stream:
        assert sum([len(chunk) async for chunk in stream.chunks]) == 2_000 * 1_027


@pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True)
async def test_a_deadline_in_the_same_turn_as_the_answer_is_a_timeout() -> None:
    partial = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

    async def just_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(partial)
        await asyncio.Event().wait()

    with apart(just_late) as url:
        async with door(timeout_ms=100) as egress:
            asyncio.get_running_loop().call_later(0.03, time.sleep, 0.2)
            with pytest.raises(EgressError, match="answer within 100 ms"):
                async with egress.get(url) as stream:
                    assert [chunk async for chunk in stream.chunks] == []


async def test_a_download_that_ends_early_is_told() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"
    async with serve(saying(answer)) as server, door() as egress:
        with pytest.raises(EgressError, match="the answer ended early"):
            async with egress.get(server.url()) as stream:
                assert [chunk async for chunk in stream.chunks] == [b"some"]


async def test_the_deadline_holds_for_the_block_that_reads() -> None:
    async with serve(OK) as server, door(timeout_ms=100) as egress:
        with pytest.raises(EgressError, match="connected, but no complete answer within 100 ms"):
            async with egress.get(server.url()):
                await asyncio.Event().wait()


async def test_a_timeout_of_the_block_is_its_own() -> None:
    async with serve(OK) as server, door() as egress:
        with pytest.raises(TimeoutError, match="mine"):
            async with egress.get(server.url()):
                raise TimeoutError("mine")
