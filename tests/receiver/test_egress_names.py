"""Names through the door: resolvers that lie, flip, answer too much or hang."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from receiver.names import SystemNames
from tests.receiver.endpoints import OK, answering, door, refusal, serve

pytestmark = pytest.mark.anyio


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


class HangingNames:
    """`getaddrinfo` that never answers for names under hang.test; any other is 127.0.0.1."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()

    def getaddrinfo(self, host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        if host.endswith("hang.test"):
            self.released.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingNames]:
    hanging = HangingNames()
    yield hanging
    hanging.released.set()


async def test_names_that_hang_hold_up_no_other(names: HangingNames, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(OK) as server, door(timeout_ms=10_000, connections=256) as egress:
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        stuck = [asyncio.ensure_future(refusal(egress, f"http://{n}.hang.test/")) for n in range(200)]
        while len(names.asked) < 200:
            await asyncio.sleep(0)
        response = await egress.post(server.url("hook.test"), {}, b"{}")
        assert response.status == 200
        names.released.set()
        errors = await asyncio.gather(*stuck)
    assert {error.error_class for error in errors} == {"dns"}


async def test_a_name_that_hangs_is_asked_for_once_at_a_time(
    names: HangingNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(timeout_ms=100, connections=50) as egress:
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        for _ in range(2):
            errors = await asyncio.gather(*(refusal(egress, "http://hang.test/") for _ in range(50)))
            assert {error.error_class for error in errors} == {"timeout"}
        assert names.asked == ["hang.test"]


async def test_a_name_is_asked_for_afresh_when_it_has_been_answered(
    names: HangingNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    lookup = SystemNames()
    assert [await lookup("hook.test"), await lookup("hook.test")] == [["127.0.0.1"]] * 2
    assert names.asked == ["hook.test"] * 2


async def test_the_names_asked_for_at_once_are_bounded(names: HangingNames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    lookup = SystemNames(limit=2)
    stuck = [asyncio.ensure_future(lookup(f"{n}.hang.test")) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="2 other names wait for the name server"):
        await lookup("hook.test")
    names.released.set()
    failures = await asyncio.gather(*stuck, return_exceptions=True)
    assert all(isinstance(failure, socket.gaierror) for failure in failures)
    assert await lookup("hook.test") == ["127.0.0.1"]


async def test_more_than_one_address_is_tried() -> None:
    async with serve(OK) as server, door(resolver=answering("127.0.0.2", "127.0.0.1")) as egress:
        response = await egress.post(server.url("hook.test"), {}, b"{}")
    assert response.status == 200
    assert response.timing.dns is not None
