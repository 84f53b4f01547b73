"""The door itself: what goes out, what comes back, and what is not taken along."""

import asyncio
from pathlib import Path

import pytest

from receiver.egress import EgressError
from tests.receiver.endpoints import OK, door, forever, refusal, serve

pytestmark = pytest.mark.anyio


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

    # The last waits for longer than an attempt may take; each has plenty of time of its own.
    async with serve(slow) as server, door(timeout_ms=1_500, connections=1) as egress:
        url = f"http://127.0.0.1:{server.port}/"
        responses = await asyncio.gather(*(egress.post(url, {}, b"{}") for _ in range(20)))
    assert all(response.status == 200 and response.duration_ms < 1_500 for response in responses)


async def test_canceling_an_attempt_frees_its_place() -> None:
    async with serve(forever) as silent, serve(OK) as server, door(connections=1) as egress:
        attempt = asyncio.ensure_future(egress.post(f"http://127.0.0.1:{silent.port}/", {}, b"{}"))
        while silent.connects == 0:
            await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert (await egress.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")).status == 200
