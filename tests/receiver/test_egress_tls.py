"""TLS through the door: certificates, names, handshakes that fail."""

import asyncio
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509

from tests.receiver.endpoints import OK, answering, certify, door, flooding, refusal, serve

pytestmark = pytest.mark.anyio


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


LOOPS = ["asyncio", ("asyncio", {"use_uvloop": True})]


@pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True)
async def test_a_flood_is_cut_off_under_tls_too(tmp_path: Path) -> None:
    ours, trusting = certify(tmp_path, [x509.IPAddress(IPv4Address("127.0.0.1"))])
    flood = flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    async with serve(flood, ours) as server, door(timeout_ms=60_000, tls=trusting) as egress:
        error = await refusal(egress, server.url(scheme="https"))
    assert error.error_class == "response"
    assert error.message == f"https://127.0.0.1:{server.port}: more than 512 KiB came, and no answer"


@pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True)
async def test_a_connection_that_ends_in_the_handshake() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with serve(hang_up, listens=False) as server, door() as egress:
        error = await refusal(egress, server.url(scheme="https"))
    assert error.error_class == "tls"
    assert "the TLS handshake failed: " in error.message
    assert error.timing.tls is not None
    assert error.timing.response is None
