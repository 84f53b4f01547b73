"""What the client makes of answers and of connections that break."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator

import httpx2 as httpx
import pytest

from dispatcher.client import MAX_ANSWER, ProviderClient
from dispatcher.patience import CONNECT_TIMEOUT, TIMEOUT
from ledger.tokens import CallbackTokens
from providers import PROVIDERS
from providers.protocol import Account, Disposition, JobStatus, Order, Reading, Refusal

from .stage import ACCOUNTS, KEYS, Stage
from .virtual import Time
from .wire import Step, breaks, done, says, task

pytestmark = pytest.mark.anyio

ORDER = Order("flux-schnell", {"prompt": "灯塔"})
NOT_STARTED = {
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
}


def kinds(error: type[Exception]) -> Iterator[type[Exception]]:
    """An exception of httpx and all that derive from it."""
    yield error
    for special in error.__subclasses__():
        yield from kinds(special)


EVERY_ERROR = [*dict.fromkeys(kinds(httpx.RequestError)), TimeoutError]


def client(step: Step, provider: str = "dashscope") -> ProviderClient:
    tokens = CallbackTokens(KEYS, Time())
    transport = httpx.MockTransport(step)  # type: ignore[arg-type]
    return ProviderClient(PROVIDERS[provider], ACCOUNTS[provider], tokens.blank, transport)


def refusal(said: Reading | Refusal | None) -> Refusal:
    assert isinstance(said, Refusal)
    return said


@pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.__name__)
async def test_only_what_provably_did_not_start_may_be_sent_again(kind: type[Exception]) -> None:
    async with client(breaks(kind("secret https://dashscope.test/?key=1"))) as broken:
        said = refusal((await broken.submit(ORDER, None))[0])
        asked = refusal((await broken.fetch("task-1"))[0])
        canceled = refusal(await broken.cancel("task-1"))
    assert said.disposition == (Disposition.RETRY if kind in NOT_STARTED else Disposition.AMBIGUOUS)
    assert asked.disposition == canceled.disposition == Disposition.RETRY
    assert said.code == asked.code == "Unreachable"
    assert "secret" not in said.message + asked.message + canceled.message


def test_the_table_is_of_errors_that_exist() -> None:
    assert set(EVERY_ERROR) >= NOT_STARTED
    assert len(EVERY_ERROR) > 15


async def test_a_provider_that_drops_packets_is_given_up_while_it_still_connects() -> None:
    asked: list[dict[str, float]] = []

    def step(request: httpx.Request) -> httpx.Response:
        asked.append(request.extensions["timeout"])
        return httpx.Response(500)

    async with client(step) as slow:
        await slow.submit(ORDER, None)
    assert asked == [{"connect": CONNECT_TIMEOUT, "read": TIMEOUT, "write": TIMEOUT, "pool": TIMEOUT}]
    assert 2 * CONNECT_TIMEOUT < TIMEOUT  # TCP, then TLS


async def test_an_answer_may_be_long_but_not_endless() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    async with client(lambda request: httpx.Response(200, content=endless())) as chatty:
        said = refusal((await chatty.submit(ORDER, None))[0])
        asked = refusal((await chatty.fetch("task-1"))[0])
    assert (said.disposition, asked.disposition) == (Disposition.AMBIGUOUS, Disposition.RETRY)

    long = task("PENDING", padding="x" * (MAX_ANSWER - 200))
    async with client(long) as wordy:
        assert isinstance((await wordy.submit(ORDER, None))[0], Reading)


async def test_redirects_are_answers_and_are_not_followed() -> None:
    calls: list[str] = []

    def step(request: httpx.Request) -> httpx.Response:
        calls.append(str(request.url))
        return httpx.Response(307, headers={"location": "https://elsewhere.test/"})

    async with client(step) as moved:
        said = refusal((await moved.submit(ORDER, None))[0])
    assert said.disposition is Disposition.FINAL
    assert calls == ["https://dashscope.test/api/v1/services/aigc/text2image/image-synthesis"]


async def test_only_a_finished_job_has_a_callbacks_body() -> None:
    async with client(task("RUNNING")) as running:
        assert (await running.fetch("task-1"))[1] == b""
    async with client(done()) as finished:
        said, body = await finished.fetch("task-1")
    assert isinstance(said, Reading)
    assert said.status is JobStatus.SUCCEEDED
    assert PROVIDERS["dashscope"].read_callback(body) == said


async def test_a_task_id_cannot_lead_elsewhere() -> None:
    asked: list[bytes] = []

    def step(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return task("PENDING")(request)  # type: ignore[return-value]

    async with client(step) as curious:
        await curious.fetch("../../admin?x=1#y")
    assert asked == [b"/api/v1/tasks/..%2F..%2Fadmin%3Fx%3D1%23y"]


async def test_our_tokens_are_blanked_before_anything_reads_the_answer() -> None:
    token = CallbackTokens(KEYS, Time()).mint("job_01h455vb4pex5vsknk084sn02q", "acedata")
    record = {"id": "task-1", "request": {"callback_url": f"https://us.test/callbacks/{token}"}, "finished_at": 1}
    response = {"success": True, "data": [{"image_url": f"https://images.test/{token}"}]}
    async with client(says(200, record | {"response": response}), "acedata") as echoing:
        said, body = await echoing.fetch("task-1")
    assert isinstance(said, Reading)
    assert token.encode() not in body
    assert said.results[0].url == "https://images.test/[callback token]"


async def test_a_submission_never_travels_on_a_kept_connection(stage: Stage) -> None:
    """On one that the other side is just closing, nobody could tell whether it arrived."""
    opened = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        answer = b'{"output": {"task_id": "task-1", "task_status": "PENDING"}}'
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = re.search(rb"content-length: ([0-9]+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await connected(reader, writer)
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    account = Account(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "sk-dashscope")
    async with server, ProviderClient(PROVIDERS["dashscope"], account, stage.tokens.blank) as real:
        for _ in range(3):
            assert isinstance((await real.submit(ORDER, None))[0], Reading)
        assert opened == 3
        for _ in range(3):
            assert isinstance((await real.fetch("task-1"))[0], Reading)
        assert opened == 4
