"""The door itself, against servers that misbehave on 127.0.0.1 and resolvers that lie."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from receiver.egress import MAX_EXCERPT, Egress, EgressError, Lookup

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """One port of 127.0.0.1: what it heard, how often it was called, and by which TLS name."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[bytes] = []
        self.connects = 0
        self.server_names: list[str | None] = []


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


async def request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


def answering(*answers: str) -> Lookup:
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
    networks = [ip_network(network) for network in allowed]
    egress = Egress(networks, timeout_ms, resolver=resolver, tls=tls, connections=connections)
    try:
        yield egress
    finally:
        await egress.close()


async def refusal(egress: Egress, url: str, body: bytes = b"{}") -> EgressError:
    with pytest.raises(EgressError) as caught:
        await egress.post(url, {}, body)
    assert "canary" not in caught.value.message
    return caught.value


async def test_a_post_and_its_answer() -> None:
    answer = b"HTTP/1.1 202 Fine\r\nX-One: 1\r\nx-one: 2\r\nX-Raw: \xff\r\nContent-Length: 3\r\n\r\n\x00\xffk"
    async with serve(answer) as server, door() as egress:
        url = f"http://127.0.0.1:{server.port}/a%2fb/../c?x=%41+b"
        response = await egress.post(url, {"webhook-id": "ntf_1", "content-type": "application/json"}, b'{"a":1}')
    assert response.status == 202
    assert response.headers == {"x-one": "1, 2", "x-raw": "\ufffd", "content-length": "3"}
    assert (response.excerpt, response.truncated) == (b"\x00\xffk", False)
    assert 0 <= response.duration_ms < 2000
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a%2fb/../c?x=%41+b HTTP/1.1\r\n")
    assert body == b'{"a":1}'
    lines = head.lower().split(b"\r\n")
    assert b"host: 127.0.0.1:%d" % server.port in lines
    assert b"webhook-id: ntf_1" in lines
    assert b"content-type: application/json" in lines
    assert b"accept-encoding: identity" in lines


async def test_connections_are_kept_but_cookies_are_not() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with serve(answer) as server, door() as egress:
        for _ in range(3):
            await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")
    assert (server.connects, len(server.heard)) == (1, 3)
    assert b"cookie" not in b"".join(server.heard).lower()


async def test_the_name_stays_while_the_checked_address_is_dialled() -> None:
    async with serve(OK) as server, door(resolver=answering("127.0.0.1")) as egress:
        assert (await egress.post(f"http://hook.test:{server.port}/", {}, b"{}")).status == 200
    assert b"Host: hook.test:%d\r\n" % server.port in server.heard[0]


async def test_localhost_is_loopback_whatever_the_resolver_says() -> None:
    async with serve(OK) as server, door(resolver=answering("8.8.8.8")) as egress:
        for host in ("localhost", "app.localhost"):
            assert (await egress.post(f"http://{host}:{server.port}/", {}, b"{}")).status == 200


async def test_the_system_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        if host != "hook.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    async with serve(OK) as server, door() as egress:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert (await egress.post(f"http://hook.test:{server.port}/", {}, b"{}")).status == 200
        error = await refusal(egress, "http://name.test/canary")
    assert error.error_class == "dns"
    assert error.message == "http://name.test: the name does not resolve: Name or service not known"


@pytest.mark.parametrize(
    "answers",
    [
        ("127.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "::1"),
        ("127.0.0.1", "64:ff9b::a9fe:a9fe"),
        ("127.0.0.1", "not an address"),
        ("127.0.0.1", ""),
    ],
)
async def test_one_denied_answer_refuses_them_all(answers: tuple[str, ...]) -> None:
    async with serve(OK) as server, door(resolver=answering(*answers)) as egress:
        assert (await refusal(egress, f"http://hook.test:{server.port}/canary")).error_class == "guard"
    assert server.connects == 0


async def test_a_name_that_flips_between_attempts_is_checked_at_each_connect() -> None:
    answers = [["127.0.0.1"], ["127.0.0.1", "169.254.169.254"], ["10.0.0.1"], ["127.0.0.1"]]

    async def resolver(host: str) -> Sequence[str]:
        return answers.pop(0)

    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with serve(closing) as server, door(resolver=resolver) as egress:
        url = f"http://hook.test:{server.port}/canary"
        assert (await egress.post(url, {}, b"{}")).status == 200
        first, second = await refusal(egress, url), await refusal(egress, url)
        assert (await egress.post(url, {}, b"{}")).status == 200
    assert "169.254.169.254 is cloud metadata" in first.message
    assert "10.0.0.1 is private (10.0.0.0/8, RFC 1918)" in second.message
    assert server.connects == 2


@pytest.mark.parametrize("answers", [(), None])
async def test_a_name_without_addresses(answers: tuple[str, ...] | None) -> None:
    async def failing(host: str) -> Sequence[str]:
        raise UnicodeError("label too long")

    async with door(resolver=failing if answers is None else answering(*answers)) as egress:
        assert (await refusal(egress, "http://hook.test/canary?canary")).error_class == "dns"


async def test_a_stalled_resolver_hits_the_deadline() -> None:
    async def stalled(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with door(timeout_ms=100, resolver=stalled) as egress:
        assert (await refusal(egress, "http://hook.test/canary")).error_class == "timeout"


async def test_connection_refused() -> None:
    async with serve(OK) as server:
        port = server.port
    async with door() as egress:
        error = await refusal(egress, f"http://127.0.0.1:{port}/canary")
    assert error.error_class == "connect"
    assert error.message == f"http://127.0.0.1:{port}: Connection refused"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    async with serve(OK) as inside, door() as egress:
        answer = b"HTTP/1.1 %d Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
        async with serve(answer % (status, inside.port)) as server:
            response = await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")
    assert response.status == status
    assert inside.connects == 0


async def test_proxies_from_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    async with serve(OK) as proxy, serve(OK) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", str(netrc))
        async with door() as egress:
            assert (await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")).status == 200
    assert (proxy.connects, server.connects) == (0, 1)
    assert b"authorization" not in server.heard[0].lower()


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


async def forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def dripping(first: bytes, drop: bytes) -> Handler:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.005)

    return drip


@pytest.mark.parametrize(
    "handler",
    [
        forever,
        dripping(b"HTTP/1.1 200 ", b"O"),
        dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["silent", "status", "headers", "header", "continue", "body", "chunks", "until-close"],
)
async def test_one_deadline_holds_for_the_whole_attempt(handler: Handler) -> None:
    clock = asyncio.get_running_loop().time
    async with serve(handler) as server, door(timeout_ms=250) as egress:
        started = clock()
        error = await refusal(egress, f"http://127.0.0.1:{server.port}/canary")
        assert clock() - started < 2
    assert error.error_class == "timeout"
    assert error.message == f"http://127.0.0.1:{server.port}: no complete answer within 250 ms"


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_server_that_answers_but_never_reads_hits_the_deadline() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x")(reader, writer)

    clock = asyncio.get_running_loop().time
    async with serve(deaf, listens=False) as server, door(timeout_ms=250) as egress:
        started = clock()
        error = await refusal(egress, f"http://127.0.0.1:{server.port}/canary", bytes(30_000_000))
        assert clock() - started < 2
    assert error.error_class == "timeout"


async def test_a_stalled_tls_handshake_hits_the_deadline() -> None:
    async with serve(forever, listens=False) as server, door(timeout_ms=200) as egress:
        assert (await refusal(egress, f"https://127.0.0.1:{server.port}/canary")).error_class == "timeout"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: y\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    ],
    ids=["long-header", "many-headers", "long-status", "ssh", "status", "two-lengths", "chunk"],
)
async def test_what_is_not_bounded_http_is_a_response_error(answer: bytes) -> None:
    async with serve(answer) as server, door() as egress:
        assert (await refusal(egress, f"http://127.0.0.1:{server.port}/canary")).error_class == "response"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"])
async def test_a_connection_closed_early(answer: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with serve(cut) as server, door() as egress:
        assert (await refusal(egress, f"http://127.0.0.1:{server.port}/canary")).error_class == "response"


async def test_an_upgrade_that_nobody_asked_for_ends_the_connection() -> None:
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    async with serve(dripping(upgrade, b"x")) as server, door() as egress:
        for _ in range(2):
            response = await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")
            assert (response.status, response.excerpt) == (101, b"")
    assert server.connects == 2


async def test_a_header_that_cannot_be_sent() -> None:
    async with serve(OK) as server, door() as egress:
        with pytest.raises(EgressError) as caught:
            await egress.post(f"http://127.0.0.1:{server.port}/", {"x-a": "canary\r\nx-b: c"}, b"{}")
    assert caught.value.error_class == "guard"
    assert "canary" not in caught.value.message
    assert server.connects == 0


async def test_waiting_for_a_free_connection_does_not_count() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await writer.drain()

    async with serve(slow) as server, door(timeout_ms=350, connections=1) as egress:
        url = f"http://127.0.0.1:{server.port}/"
        responses = await asyncio.gather(*(egress.post(url, {}, b"{}") for _ in range(5)))
    assert all(response.status == 200 and response.duration_ms < 350 for response in responses)


async def test_canceling_an_attempt_frees_its_place() -> None:
    async with serve(forever) as silent, serve(OK) as server, door(connections=1) as egress:
        attempt = asyncio.ensure_future(egress.post(f"http://127.0.0.1:{silent.port}/", {}, b"{}"))
        while silent.connects == 0:
            await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert (await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")).status == 200


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


async def test_certificate_and_server_name_are_the_hosts(tmp_path: Path) -> None:
    ours, trusting = certify(tmp_path, [x509.DNSName("hook.test"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    async with serve(OK, ours) as server, door(resolver=answering("127.0.0.1"), tls=trusting) as egress:
        assert (await egress.post(f"https://hook.test:{server.port}/", {}, b"{}")).status == 200
        assert (await egress.post(f"https://127.0.0.1:{server.port}/", {}, b"{}")).status == 200
        assert (await refusal(egress, f"https://other.test:{server.port}/canary")).error_class == "tls"
    assert server.server_names == ["hook.test", None, "other.test"]


@pytest.mark.parametrize(
    ("names", "days", "trusted", "says"),
    [
        ([x509.DNSName("hook.test")], 1, False, "self-signed"),
        ([x509.DNSName("other.test")], 1, True, "mismatch"),
        ([x509.IPAddress(IPv4Address("127.0.0.1"))], 1, True, "mismatch"),
        ([x509.DNSName("hook.test")], -1, True, "expired"),
    ],
    ids=["self-signed", "wrong-name", "address-only", "expired"],
)
async def test_bad_certificates(
    names: list[x509.GeneralName], days: int, trusted: bool, says: str, tmp_path: Path
) -> None:
    ours, trusting = certify(tmp_path, names, days)
    tls = trusting if trusted else None
    async with serve(OK, ours) as server, door(resolver=answering("127.0.0.1"), tls=tls) as egress:
        error = await refusal(egress, f"https://hook.test:{server.port}/canary?canary")
    assert error.error_class == "tls"
    assert says in error.message
    assert server.heard == []


async def test_plain_http_on_a_tls_port() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with serve(plain, listens=False) as server, door() as egress:
        assert (await refusal(egress, f"https://127.0.0.1:{server.port}/canary")).error_class == "tls"
