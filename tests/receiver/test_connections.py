"""Connections through the door: which are kept, for how long, and how a request is written."""

import asyncio
import errno
import gc
import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from receiver.connection import Answer, Broken, Connection
from receiver.connections import KEEP_SECONDS, MAX_ADDRESSES, Connections, Origin
from receiver.names import GuardedNames, SystemNames
from receiver.timing import Stopwatch
from tests.receiver.endpoints import (
    OK,
    Handler,
    Server,
    apart,
    door,
    refusal,
    request,
    saying,
    serve,
)

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


async def test_what_the_loop_had_no_time_to_read_is_not_the_next_answer() -> None:
    async def more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await request(reader):
            writer.write(OK)
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 202 No\r\nContent-Length: 4\r\n\r\nevil")
            await writer.drain()

    with apart(more) as url:
        async with door() as egress:
            for _ in range(5):
                assert (await egress.post(url, {}, b"{}")).excerpt == b"ok"
                time.sleep(0.05)


async def test_nothing_is_kept_after_the_end() -> None:
    async with serve(OK) as server:
        wires = Wires(server)
        wires.kept.close()
        await wires.exchange()
        await wires.exchange()
        assert server.connects == 2


async def test_not_every_address_of_a_name_is_tried() -> None:
    tried: list[str] = []
    many = [f"127.0.0.{number}" for number in range(2, 40)] + [f"::ffff:127.0.1.{number}" for number in range(2, 40)]

    class Silent(Connections):
        def _socket(self, info: Any) -> socket.socket:
            tried.append(info[4][0])
            raise OSError(errno.ECONNREFUSED, "no")

    allowed = [ip_network("127.0.0.0/8")]

    async def names(host: str) -> Sequence[str]:
        return many

    loop = asyncio.get_running_loop()
    connections = Silent(GuardedNames(names, allowed), allowed, ssl.create_default_context(), loop.time)
    with pytest.raises(OSError, match="no"):
        await connections.take(Origin(False, "many.test", 80), Stopwatch(loop.time), loop.time() + LONG)
    assert len(tried) == 2 * MAX_ADDRESSES
    assert {":" in address for address in tried} == {True, False}


async def test_what_the_event_loop_cannot_do_is_an_error_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("File descriptor 7 is used by transport")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", taken)
    async with door() as egress:
        error = await refusal(egress, "http://127.0.0.1:9/canary")
    assert (error.error_class, error.message) == ("connect", "http://127.0.0.1:9: the connection failed")


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
