"""Speaks HTTP with one provider and tells what came of it in the provider protocol's words."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import httpx2 as httpx

from dispatcher.patience import CONNECT_TIMEOUT, TIMEOUT
from providers.protocol import (
    Account,
    Answer,
    Call,
    Disposition,
    JobStatus,
    Listing,
    Order,
    Provider,
    Reading,
    Refusal,
)

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer that are read; a longer one is garbage."""

_NOT_STARTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Errors after which not one byte of the request has left."""


class ProviderClient:
    """One provider's account. Its methods never raise for what the other side does: that is a `Refusal`.

    `blank` takes our own callback tokens out of an answer before anything reads or stores it.
    """

    def __init__(
        self,
        provider: Provider,
        account: Account,
        blank: Callable[[bytes], bytes],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.provider = provider
        self.account = account
        self._blank = blank
        self._zone: int | None = None
        self._queries = _client(transport, keepalive=10)
        # A submission travels on a connection of its own: on a kept one that the other side is just closing,
        # nobody could tell whether it arrived.
        self._submissions = _client(transport, keepalive=0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._queries.aclose()
        await self._submissions.aclose()

    async def submit(self, order: Order, callback_url: str | None) -> tuple[Reading | Refusal, bytes]:
        """What the provider said to a submission, and the answer's body (a result may already be in it).

        `RETRY` and `THROTTLE` mean that the job was provably not started.
        """
        try:
            answer = await self._exchange(self._submissions, self.provider.submit(order, callback_url))
        except _NOT_STARTED as error:
            return _unreached(error, Disposition.RETRY), b""
        except (httpx.HTTPError, TimeoutError) as error:
            return _unreached(error, Disposition.AMBIGUOUS), b""
        return self.provider.read_submit(answer), answer.body

    async def fetch(self, task_id: str, model: str = "") -> tuple[Reading | Refusal, bytes]:
        """What the provider says about a job, and for a finished one the body of the callback that it becomes."""
        try:
            answer = await self._exchange(self._queries, self.provider.fetch(task_id, model))
        except (httpx.HTTPError, TimeoutError) as error:
            return _unreached(error, Disposition.RETRY), b""
        said = self.provider.read_fetch(answer)
        finished = isinstance(said, Reading) and said.status.final
        return said, self.provider.callback_body(answer) if finished else b""

    async def fetch_many(
        self, task_ids: Sequence[str], model: str = ""
    ) -> Mapping[str, tuple[Reading | Refusal, bytes]]:
        """As `fetch`, of as many jobs as the provider answers for at once (`batches.size`, one `batches.group`)."""
        batches = self.provider.batches
        if batches is None or len(task_ids) == 1:
            return {task_id: await self.fetch(task_id, model) for task_id in task_ids}
        try:
            said = batches.read(await self._exchange(self._queries, batches.ask(task_ids, model)))
        except (httpx.HTTPError, TimeoutError) as error:
            said = _unreached(error, Disposition.RETRY)
        if isinstance(said, Refusal):
            return dict.fromkeys(task_ids, (said, b""))
        return {task_id: said.get(task_id, (Reading(JobStatus.UNKNOWN), b"")) for task_id in task_ids}

    async def list_jobs(
        self, since: int, until: int, page: int, turn: Callable[[], Awaitable[None]]
    ) -> Listing | Refusal:
        """One page, from 1, of the account's jobs that were made in a window of UTC milliseconds.

        No document says in which zone the window is read: the zone that brought rows of the window is kept. Trying
        another is another call, so `turn` is awaited before each.
        """
        lists = self.provider.lists
        if lists is None:
            return Refusal(Disposition.FINAL, "NotSupported", f"{self.provider.name} has no list of jobs.", 0)
        found: Listing | Refusal = Listing((), 0)
        for zone in (self._zone,) if page > 1 and self._zone is not None else _likeliest(lists.zones, self._zone):
            await turn()
            try:
                found = lists.read(await self._exchange(self._queries, lists.ask(since, until, page, zone)))
            except (httpx.HTTPError, TimeoutError) as error:
                return _unreached(error, Disposition.RETRY)
            if isinstance(found, Refusal):
                return found
            inside = tuple(task for task in found.tasks if since <= task.created_at <= until)
            found = Listing(inside, found.pages)
            if inside:
                self._zone = zone
                return found
        return found

    async def cancel(self, task_id: str) -> Refusal | None:
        """None when the provider canceled the job."""
        call = self.provider.cancel(task_id)
        if call is None:
            return Refusal(
                Disposition.FINAL, "NotSupported", f"{self.provider.name} cannot cancel a job that it has taken", 409
            )
        try:
            return self.provider.read_cancel(await self._exchange(self._queries, call))
        except (httpx.HTTPError, TimeoutError) as error:
            return _unreached(error, Disposition.RETRY)

    async def _exchange(self, client: httpx.AsyncClient, call: Call) -> Answer:
        headers = {**self.provider.headers(self.account), **call.headers}
        url = self.account.base_url + call.path
        async with asyncio.timeout(TIMEOUT):
            async with client.stream(call.method, url, headers=headers, content=call.body) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        raise httpx.DecodingError(f"the answer is longer than {MAX_ANSWER} bytes")
                names = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, names, self._blank(bytes(body)))


def _client(transport: httpx.AsyncBaseTransport | None, *, keepalive: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
        follow_redirects=False,
        limits=httpx.Limits(max_keepalive_connections=keepalive),
    )


def _likeliest(zones: Sequence[int], known: int | None) -> Sequence[int]:
    return zones if known is None else (known, *(zone for zone in zones if zone != known))


def _unreached(error: Exception, disposition: Disposition) -> Refusal:
    """Names the kind of error, and never its text, which may hold a URL."""
    kinds: dict[type[Exception], str] = {
        httpx.ConnectTimeout: "it could not be reached in time",
        httpx.ConnectError: "it could not be reached",
        httpx.PoolTimeout: "too many requests were waiting",
    }
    message = kinds.get(type(error), f"the connection broke ({type(error).__name__})")
    if isinstance(error, (TimeoutError, httpx.ReadTimeout)):
        message = f"no answer within {TIMEOUT} seconds"
    return Refusal(disposition, "Unreachable", f"The provider did not answer: {message}.", 0)
