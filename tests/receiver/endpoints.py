"""Subscribers that misbehave on 127.0.0.1, resolvers that lie, and the door that must stand both."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from receiver.egress import Egress, EgressError
from receiver.names import Lookup

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """One port of 127.0.0.1: what it heard, how often it was called, and by which TLS name."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[bytes] = []
        self.connects = 0
        self.server_names: list[str | None] = []

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        """Where it is, with a path and a query that no error may quote."""
        return f"{scheme}://{host}:{self.port}/canary?canary"


@asynccontextmanager
async def serve(
    handler: Handler | bytes, tls: ssl.SSLContext | None = None, listens: bool = True
) -> AsyncIterator[Server]:
    """Serves one handler (after a request, if it `listens`), or the same bytes to every request."""
    server = Server()
    running: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connects += 1
        running.add(task := asyncio.current_task())  # type: ignore[arg-type]
        try:
            if callable(handler):
                if listens:
                    server.heard.append(await request(reader))
                await handler(reader, writer)
            else:
                while heard := await request(reader):
                    server.heard.append(heard)
                    writer.write(handler)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            running.discard(task)
            writer.transport.abort()

    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: server.server_names.append(name)
    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running)


@contextmanager
def apart(handler: Handler) -> Iterator[str]:
    """The URL of a server with an event loop of its own, which goes on when the client's does not."""
    begun: Future[tuple[str, Callable[[], object]]] = Future()

    async def serving() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with serve(handler, listens=False) as server:
            begun.set_result((server.url(), lambda: loop.call_soon_threadsafe(over.set)))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serving()))
    thread.start()
    url, end = begun.result(10)
    try:
        yield url
    finally:
        end()
        thread.join(10)


async def request(reader: asyncio.StreamReader) -> bytes:
    """One request with its body; nothing when the other side has hung up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


async def forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing and never hangs up."""
    await asyncio.Event().wait()


def dripping(first: bytes, drop: bytes) -> Handler:
    """Sends a little, and then a little more for ever."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.005)

    return drip


def flooding(first: bytes, drop: bytes) -> Handler:
    """Sends as fast as it is read, for ever."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while not writer.transport.is_closing():
            writer.write(drop * (65536 // len(drop)))
            await writer.drain()

    return flood


def saying(answer: bytes) -> Handler:
    """Sends this and hangs up."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return say


def answering(*answers: str) -> Lookup:
    """A resolver that answers this whatever it is asked."""

    async def resolver(host: str) -> Sequence[str]:
        return answers

    return resolver


@asynccontextmanager
async def door(
    allowed: Sequence[str] = ("127.0.0.0/8",),
    timeout_ms: int = 2000,
    resolver: Lookup | None = None,
    tls: ssl.SSLContext | None = None,
    connections: int = 10,
) -> AsyncIterator[Egress]:
    """An egress, closed at the end."""
    networks = [ip_network(network) for network in allowed]
    egress = Egress(networks, timeout_ms, resolver=resolver, tls=tls, connections=connections)
    try:
        yield egress
    finally:
        await egress.close()


async def refusal(egress: Egress, url: str, body: bytes = b"{}") -> EgressError:
    """The error of a POST that has no answer."""
    with pytest.raises(EgressError) as caught:
        await egress.post(url, {}, body)
    assert "canary" not in caught.value.message
    return caught.value


def certify(folder: Path, names: Sequence[x509.GeneralName], days: int = 1) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A self-signed certificate: the server's context, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "postback test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))
