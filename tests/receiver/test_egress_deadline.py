"""The door's one deadline, and which phase an exchange was in when it came."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509

from receiver.timing import UNTIMED, Stopwatch, Timing
from tests.receiver.endpoints import OK, Handler, answering, certify, door, dripping, forever, refusal, serve

pytestmark = pytest.mark.anyio

LOOPS = ["asyncio", ("asyncio", {"use_uvloop": True})]
"""The server runs on uvloop, where it makes sockets and handshakes in code of its own."""


async def test_a_stalled_resolver() -> None:
    async def stalled(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with door(timeout_ms=100, resolver=stalled) as egress:
        error = await refusal(egress, "http://hook.test/canary")
    assert error.error_class == "timeout"
    assert error.message == "http://hook.test: no answer from the name server within 100 ms"
    assert error.timing.dns == error.timing.total
    assert (error.timing.connect, error.timing.tls, error.timing.response) == (None, None, None)


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: the system drops what knocks."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def test_a_stalled_connect(full_port: int) -> None:
    async with door(timeout_ms=150, resolver=answering("127.0.0.1")) as egress:
        error = await refusal(egress, f"https://hook.test:{full_port}/canary")
    assert error.error_class == "timeout"
    assert error.message == f"https://hook.test:{full_port}: no TCP connection within 150 ms"
    assert error.timing.dns is not None
    assert error.timing.connect is not None
    assert (error.timing.tls, error.timing.response) == (None, None)


@pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True)
async def test_a_stalled_tls_handshake() -> None:
    async with serve(forever, listens=False) as server, door(timeout_ms=200) as egress:
        error = await refusal(egress, server.url(scheme="https"))
    assert error.error_class == "timeout"
    assert error.message == f"https://127.0.0.1:{server.port}: no TLS handshake within 200 ms"
    timing = error.timing
    assert (timing.dns, timing.response) == (None, None)
    assert timing.connect is not None
    assert timing.tls is not None
    assert timing.tls > timing.connect


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("handler", "missing"),
    [
        (forever, "no answer"),
        (dripping(b"HTTP/1.1 200 ", b"O"), "no answer"),
        (dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "no answer"),
        (dripping(b"HTTP/1.1 200 OK\r\nX-A: ", b"b"), "no answer"),
        (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "no answer"),
        (dripping(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "no answer"),
        (dripping(b"", b"\r\n"), "no answer"),
        (dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"), "no complete answer"),
        (dripping(CHUNKED, b"1\r\nx\r\n"), "no complete answer"),
        (dripping(CHUNKED, b"0"), "no complete answer"),
        (dripping(CHUNKED + b"1\r\nx\r\n0\r\nX-A: ", b"b"), "no complete answer"),
        (dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), "no complete answer"),
    ],
    ids=[
        *("silent", "status", "headers", "header", "continue", "hints", "lines"),
        *("body", "chunks", "chunk-size", "trailer", "until-close"),
    ],
)
async def test_one_deadline_holds_for_the_whole_attempt(handler: Handler, missing: str) -> None:
    async with serve(handler) as server, door(timeout_ms=250) as egress:
        error = await asyncio.wait_for(refusal(egress, server.url()), 30)
    assert error.error_class == "timeout"
    assert error.message == f"http://127.0.0.1:{server.port}: connected, but {missing} within 250 ms"
    timing = error.timing
    assert (timing.dns, timing.tls) == (None, None)
    assert timing.connect is not None
    assert timing.response is not None
    assert timing.response > timing.connect


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_server_that_answers_but_never_reads() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x")(reader, writer)

    async with serve(deaf, listens=False) as server, door(timeout_ms=250) as egress:
        error = await asyncio.wait_for(refusal(egress, server.url(), bytes(30_000_000)), 30)
    assert error.error_class == "timeout"


@pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True)
async def test_every_phase_of_an_exchange_is_timed(tmp_path: Path) -> None:
    ours, trusting = certify(tmp_path, [x509.DNSName("hook.test")])
    async with serve(OK, ours) as server, door(resolver=answering("127.0.0.1"), tls=trusting) as egress:
        url = server.url("hook.test", "https")
        first, second = await egress.post(url, {}, b"{}"), await egress.post(url, {}, b"{}")
    assert None not in first.timing
    assert second.timing._asdict() == {"dns": None, "connect": None, "tls": None, "response": second.timing.response}


async def test_plain_http_to_an_address_has_two_phases() -> None:
    async with serve(OK) as server, door() as egress:
        timing = (await egress.post(server.url(), {}, b"{}")).timing
    assert (timing.dns, timing.tls) == (None, None)
    assert timing.connect is not None
    assert timing.response is not None


async def test_the_guard_takes_no_time() -> None:
    async with door(allowed=()) as egress:
        error = await refusal(egress, "http://127.0.0.1/canary")
    assert error.timing == UNTIMED


def test_a_phase_that_is_entered_again_goes_on() -> None:
    now = 0.0
    watch = Stopwatch(lambda: now)
    assert watch.timing() == UNTIMED
    for at, phase in ((1.0, "dns"), (1.5, "connect"), (2.0, "tls"), (3.0, "connect"), (3.25, "tls"), (3.5, "tls")):
        now = at
        watch.enter(phase)  # type: ignore[arg-type]
    now = 5.0
    assert watch.timing() == Timing(dns=500, connect=750, tls=2750)
    assert watch.timing().total == 4000
