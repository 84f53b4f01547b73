"""A corpus of hostile destinations must not cost a single TCP connect."""

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from receiver.egress import Egress, EgressError
from tests.receiver.corpus import HOSTILE_ADDRESSES, HOSTILE_URLS

LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that must see nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def assert_nobody_came(server: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        server.accept()


@pytest.mark.anyio
async def test_the_whole_corpus_costs_no_connect(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[object] = []

    async def sock_connect(sock: socket.socket, address: object) -> None:
        dialled.append(address)
        raise ConnectionRefusedError(111, "refused by the test")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", sock_connect)
    port = listener.getsockname()[1]
    answers = {f"host{number}.test": address for number, (address, _) in enumerate(HOSTILE_ADDRESSES)}
    asked: list[str] = []

    async def resolver(host: str) -> list[str]:
        asked.append(host)
        return [answers[host]]

    urls = [url for url, _ in HOSTILE_URLS] + [f"http://127.0.0.1:{port}/", f"http://0.0.0.0:{port}/"]
    urls += [f"http://{host}:{port}/" for host in answers]
    assert len(urls) >= 60
    egress = Egress([], 2000, resolver=resolver)
    for url in urls:
        with pytest.raises(EgressError) as caught:
            await egress.post(url, {}, b"{}")
        assert caught.value.error_class == "guard", url
    await egress.close()
    assert asked == list(answers)
    assert dialled == []
    assert_nobody_came(listener)

    control = Egress(LOOPBACK, 2000, resolver=resolver)
    with pytest.raises(EgressError, match="refused"):
        await control.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    await control.close()
    assert dialled == [("127.0.0.1", port)]


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1", "localhost"])
async def test_the_socket_refuses_even_if_the_url_got_through(
    host: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.target.refuse_url", lambda url, allowed: None)
    egress = Egress([], 2000)
    with pytest.raises(EgressError) as caught:
        await egress.post(f"http://{host}:{listener.getsockname()[1]}/", {}, b"{}")
    assert caught.value.error_class == "guard"
    await egress.close()
    assert_nobody_came(listener)
