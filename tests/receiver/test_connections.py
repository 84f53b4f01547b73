"""Connections through the door: which are kept, for how long, and how a request is written."""

import asyncio
import gc
import ssl
from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from receiver.connection import Answer, Broken, Connection
from receiver.connections import KEEP_SECONDS, Connections, Origin
from receiver.egress import EgressError
from receiver.names import GuardedNames, SystemNames
from receiver.target import target
from receiver.timing import Stopwatch
from tests.receiver.endpoints import OK, Handler, Server, door, refusal, request, saying, serve

pytestmark = pytest.mark.anyio

LOOPS = ["asyncio", ("asyncio", {"use_uvloop": True})]
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
LONG = 60.0


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wires:
    """The connections of an egress, to one server."""

    def __init__(self, server: Server) -> None:
        self.clock = Clock()
        allowed = [ip_network("127.0.0.0/8")]
        self.kept = Connections(GuardedNames(SystemNames(), allowed), allowed, ssl.create_default_context(), self.clock)
        self.origin = Origin(False, "127.0.0.1", server.port)

    async def exchange(self) -> Answer:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONG
        connection = await self.kept.take(self.origin, Stopwatch(loop.time), deadline)
        answer = Answer()
        try:
            await connection.exchange(POST, answer, 1_000, deadline)
        finally:
            self.kept.give(self.origin, connection)
        return answer


async def test_a_connection_is_kept_for_a_moment() -> None:
    async with serve(OK) as server:
        wires = Wires(server)
        for _ in range(3):
            await wires.exchange()
            wires.clock.now += KEEP_SECONDS / 2
        assert server.connects == 1
        wires.clock.now += KEEP_SECONDS
        await wires.exchange()
        assert server.connects == 2
        wires.kept.close()


async def test_what_nobody_needs_any_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        assert await reader.read() == b""
        closed.set()

    monkeypatch.setattr("receiver.connections.KEEP_SECONDS", 0.01)
    async with serve(once) as server:
        wires = Wires(server)
        await wires.exchange()
        wires.clock.now += 1
        await asyncio.wait_for(closed.wait(), 10)
        assert server.connects == 1


ENDINGS = {
    "closes": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "more": OK + b"HTTP/1.1",
    "lines": OK + b"\r\n\r\nx",
}


@pytest.mark.parametrize("answer", ENDINGS.values(), ids=ENDINGS)
async def test_a_connection_is_not_kept(answer: bytes) -> None:
    async with serve(answer) as server, door() as egress:
        for _ in range(2):
            assert (await egress.post(server.url(), {}, b"{}")).excerpt == b"ok"
    assert server.connects == 2


async def test_an_old_server_may_keep_it() -> None:
    answer = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"
    async with serve(answer) as server, door() as egress:
        for _ in range(2):
            assert (await egress.post(server.url(), {}, b"{}")).excerpt == b"ok"
    assert server.connects == 1


@pytest.mark.parametrize("coding", [b"", b"Transfer-Encoding: gzip\r\n"])
async def test_an_answer_may_end_with_its_connection(coding: bytes) -> None:
    async with serve(saying(b"HTTP/1.1 200 OK\r\n" + coding + b"\r\nall of it")) as server, door() as egress:
        assert (await egress.post(server.url(), {}, b"{}")).excerpt == b"all of it"


async def test_trailers_are_no_headers() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n"
    async with serve(answer) as server, door() as egress:
        for _ in range(2):
            response = await egress.post(server.url(), {}, b"{}")
            assert (response.headers, response.excerpt) == ({"transfer-encoding": "chunked"}, b"ok")
    assert server.connects == 1


async def test_headers_without_values_and_over_several_packets() -> None:
    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Full:  a b \r\nContent-Length: 2\r\n\r\nok":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async with serve(in_pieces) as server, door() as egress:
        response = await egress.post(server.url(), {}, b"{}")
    assert response.headers == {"x-empty": "", "x-full": "a b", "content-length": "2"}
    assert response.excerpt == b"ok"


async def test_an_answer_before_the_request_was_read_is_one_but_its_connection_is_not_kept() -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async with serve(early, listens=False) as server, door() as egress:
        for _ in range(2):
            assert (await egress.post(server.url(), {}, bytes(30_000_000))).status == 413
    assert server.connects == 2


@pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True)
async def test_a_connection_that_the_other_side_closed_is_not_used() -> None:
    closed = asyncio.Event()

    async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with serve(polite) as server, door() as egress:
        for _ in range(3):
            closed.clear()
            assert (await egress.post(server.url(), {}, b"{}")).status == 200
            await closed.wait()
            for _ in range(5):  # turns of the loop, in which the client hears it too
                await asyncio.sleep(0)
    assert server.connects == 3


@pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True)
async def test_a_canceled_exchange_leaves_nothing_for_the_next() -> None:
    heard = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set()
        while await request(reader):
            writer.write(OK)

    async with serve(slow, listens=False) as server, door() as egress:
        for _ in range(20):
            heard.clear()
            attempt = asyncio.create_task(egress.post(server.url(), {}, b"{}"))
            await heard.wait()
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
        assert (await egress.post(server.url(), {}, b"{}")).excerpt == b"ok"


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


async def test_nothing_is_left_behind() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        await writer.drain()
        writer.transport.abort()

    handlers: list[Handler | bytes] = [OK, cut, saying(b"nonsense")]
    for handler in handlers:
        async with serve(handler) as server, door() as egress:
            for _ in range(3):
                if handler is OK:
                    await egress.post(server.url(), {}, b"{}")
                else:
                    await refusal(egress, server.url())
    await asyncio.sleep(0)
    gc.collect()
    left = [one for one in gc.get_objects() if isinstance(one, Connection)]
    assert [one for one in left if one.usable] == []


async def test_a_broken_connection_stays_broken() -> None:
    async with serve(saying(b"")) as server:
        wires = Wires(server)
        with pytest.raises(Broken, match="ended early"):
            await wires.exchange()


def test_how_a_request_is_written() -> None:
    to = target("https://hook.example:8443/a%2fb?c=%41", ())
    written = to.request("POST", {"content-type": "application/json", "User-agent": "mine"}, b"{}")
    head, _, body = written.partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.split(b"\r\n") == [
        b"POST /a%2fb?c=%41 HTTP/1.1",
        b"Host: hook.example:8443",
        b"Accept: */*",
        b"Accept-Encoding: identity",
        b"content-type: application/json",
        b"User-agent: mine",
        b"Content-Length: 2",
    ]
    assert b"Content-Length: 0" in to.request("POST", {}, b"")
    assert b"Content-Length" not in to.request("GET", {})


@pytest.mark.parametrize(
    ("url", "shown", "host", "origin"),
    [
        ("http://hook.example", "http://hook.example", "hook.example", Origin(False, "hook.example", 80)),
        ("https://hook.example:443/", "https://hook.example", "hook.example", Origin(True, "hook.example", 443)),
        ("http://[2606:4700::1]/", "http://[2606:4700::1]", "[2606:4700::1]", Origin(False, "2606:4700::1", 80)),
        ("https://bücher.example/", "https://xn--bcher-kva.example", "xn--bcher-kva.example",
         Origin(True, "xn--bcher-kva.example", 443)),
    ],
)  # fmt: skip
def test_where_a_url_leads(url: str, shown: str, host: str, origin: Origin) -> None:
    read = target(url, ())
    assert (read.shown, read.host, read.origin) == (shown, host, origin)


HEADERS: Sequence[tuple[str, str]] = [
    ("x-a", "a\r\nx-b: c"),
    ("x-a: b\r\nx-c", "d"),
    ("x-a", "a\nb"),
    ("x-a", "a\x00b"),
    ("x a", "b"),
    ("", "b"),
    ("x-a", "é"),
]


@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_a_header_cannot_hide_another(name: str, value: str) -> None:
    with pytest.raises(EgressError, match="a header cannot be sent"):
        target("https://hook.example/", ()).request("POST", {"x-good": "1", name: value}, b"")
