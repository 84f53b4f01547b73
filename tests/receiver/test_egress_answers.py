"""Answers that are too much, too long, malformed or meant for somebody else."""

import asyncio
import gzip
from random import Random

import pytest

from receiver.connection import MAX_ANSWER
from receiver.egress import MAX_EXCERPT, EgressError
from tests.receiver.endpoints import OK, Handler, door, dripping, flooding, refusal, saying, serve

pytestmark = pytest.mark.anyio


async def test_a_gzip_bomb_stays_packed() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with serve(head + bomb) as server, door() as egress:
        response = await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")
    assert response.excerpt == bomb[:MAX_EXCERPT]
    assert response.truncated == (len(bomb) > MAX_EXCERPT)


@pytest.mark.parametrize("size", [0, 1, MAX_EXCERPT - 1, MAX_EXCERPT, MAX_EXCERPT + 1, 4 * MAX_EXCERPT])
async def test_the_excerpt_is_capped_and_says_so(size: int) -> None:
    answer = b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    async with serve(answer) as server, door() as egress:
        response = await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")
    assert len(response.excerpt) == min(size, MAX_EXCERPT)
    assert response.truncated == (size > MAX_EXCERPT)


async def test_ten_gigabytes_are_cut_off() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async with serve(endless) as server, door() as egress:
        response = await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")
        assert (response.status, response.truncated, len(response.excerpt)) == (200, True, MAX_EXCERPT)
    assert sent < 20_000_000


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "long header": HEAD + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": HEAD + b"X-Many: y\r\n" * 20_000 + b"\r\n",
    "long reason": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    "other protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/0.9": b"<html>ok</html>\r\n",
    "HTTP/2 frames": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
    "unknown version": b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 abc OK\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 20": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "length with a sign": HEAD + b"Content-Length: +1\r\n\r\nx",
    "list of lengths": HEAD + b"Content-Length: 1, 1\r\n\r\nx",
    "endless length": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nx",
    "length and chunks": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "chunk size": CHUNKED + b"zzz\r\n",
    "negative chunk": CHUNKED + b"-1\r\nx\r\n",
    "endless chunk": CHUNKED + b"ffffffffffffffffff\r\nx\r\n",
    "chunk too long": CHUNKED + b"1\r\nxyz0\r\n\r\n",
    "header with NUL": HEAD + b"X-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "header split by CR": HEAD + b"X-A: a\rX-B: c\r\nContent-Length: 0\r\n\r\n",
    "header without name": HEAD + b": b\r\nContent-Length: 0\r\n\r\n",
    "space before colon": HEAD + b"X-A : b\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_not_bounded_http_is_a_response_error(answer: bytes) -> None:
    async with serve(answer) as server, door() as egress:
        error = await refusal(egress, server.url())
    assert error.error_class == "response"
    assert error.timing.response is not None


FLOODS = {
    "100": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103": flooding(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "empty lines": flooding(b"", b"\r\n"),
    "headers": flooding(HEAD, b"X-A: b\r\n"),
    "one header": flooding(HEAD + b"X-A: ", b"b"),
    "chunk size": flooding(CHUNKED, b"0"),
    "chunk extension": flooding(CHUNKED + b"1;", b"a=b;"),
    "trailers": flooding(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n"),
}


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})], indirect=True)
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_a_flood_that_never_becomes_an_answer_is_cut_off(flood: Handler) -> None:
    async with serve(flood) as server, door(timeout_ms=60_000) as egress:
        error = await refusal(egress, server.url())
    assert error.error_class == "response"


async def test_a_flood_before_a_download_is_cut_off() -> None:
    async with serve(FLOODS["100"]) as server, door(timeout_ms=60_000) as egress:
        with pytest.raises(EgressError, match="more than 512 KiB came, and no answer"):
            async with egress.get(server.url()):
                pytest.fail("there is no answer")


async def test_a_download_may_be_larger_than_an_answer() -> None:
    body = bytes(20 * MAX_ANSWER)
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with serve(answer) as server, door() as egress:
        async with egress.get(server.url()) as stream:
            assert b"".join([chunk async for chunk in stream.chunks]) == body


@pytest.mark.parametrize("status", [200, 204, 299, 304, 401, 407, 599, 999])
async def test_any_status_is_an_answer(status: int) -> None:
    answer = b"HTTP/1.1 %d\r\nContent-Length: 0\r\nProxy-Authenticate: Basic\r\n\r\n" % status
    async with serve(answer) as server, door() as egress:
        assert (await egress.post(server.url(), {}, b"{}")).status == status
    assert len(server.heard) == 1


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
async def test_nothing_is_unpacked(coding: bytes) -> None:
    answer = HEAD + b"Content-Encoding: " + coding + b"\r\nContent-Length: 5\r\n\r\n\x1f\x8b\x00xx"
    async with serve(answer) as server, door() as egress:
        assert (await egress.post(server.url(), {}, b"{}")).excerpt == b"\x1f\x8b\x00xx"


async def test_informational_answers_are_passed_over() -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK
    async with serve(answer) as server, door() as egress:
        response = await egress.post(server.url(), {}, b"{}")
    assert (response.status, response.excerpt) == (200, b"ok")


POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
FAILED = b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"


async def test_what_comes_with_an_answer_is_not_the_next_one() -> None:
    async with serve(FAILED + POISON) as server, door() as egress:
        for _ in range(3):
            response = await egress.post(server.url(), {}, b"{}")
            assert (response.status, response.excerpt) == (500, b"no")
    assert server.connects == 3


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})], indirect=True)
async def test_what_comes_after_an_answer_is_not_the_next_one() -> None:
    poison, poisoned = asyncio.Event(), asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(FAILED)
        await poison.wait()
        writer.write(POISON)
        await writer.drain()
        poisoned.set()
        await asyncio.Event().wait()

    async with serve(late) as server, door() as egress:
        for connects in (1, 2):
            poison.clear()
            poisoned.clear()
            response = await egress.post(server.url(), {}, b"{}")
            assert (response.status, response.excerpt, server.connects) == (500, b"no", connects)
            poison.set()
            await poisoned.wait()
            for _ in range(5):  # turns of the loop, in which the client hears it too
                await asyncio.sleep(0)


async def test_garbled_answers_end_in_an_answer_or_an_error() -> None:
    random = Random(4)
    whole = [OK, POISON, CHUNKED + b"2\r\nok\r\n0\r\nX-A: b\r\n\r\n", b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nok"]
    garbled: list[bytes] = []
    for _ in range(300):
        answer = bytearray(random.choice(whole))
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(answer))
            answer[at : at + random.randint(0, 2)] = random.choice([b"", b"\r\n", b"\x00", b"\xff", b":", b"9", b" "])
        garbled.append(bytes(answer))
    outcomes: set[str] = set()

    async def next_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await saying(garbled.pop())(reader, writer)

    async with serve(next_one) as server, door() as egress:
        while garbled:
            try:
                await egress.post(server.url(), {}, b"{}")
                outcomes.add("answer")
            except EgressError as error:
                outcomes.add("canary" if "canary" in error.message else error.error_class)
    assert outcomes == {"answer", "response"}


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nX-A", HEAD + b"Content-Length: 10\r\n\r\nshort", CHUNKED + b"5\r\nab"]
)
async def test_a_connection_closed_early(answer: bytes) -> None:
    async with serve(saying(answer)) as server, door() as egress:
        assert (await refusal(egress, f"http://127.0.0.1:{server.port}/canary")).error_class == "response"


async def test_an_upgrade_that_nobody_asked_for_ends_the_connection() -> None:
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    async with serve(dripping(upgrade, b"x")) as server, door() as egress:
        for _ in range(2):
            response = await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")
            assert (response.status, response.excerpt) == (101, b"")
    assert server.connects == 2
