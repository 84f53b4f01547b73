"""The one door for everything that goes to an address a user gave.

Every name is resolved afresh for each connection and every answer is checked against `receiver/guard.py`; one denied
answer refuses them all. The check is repeated where the socket is made, for the very address that is dialled, because
the HTTP client never asks its resolver about an IP literal. Host header, SNI and certificate stay with the name.

Nothing else is taken from the other side or from the environment: no redirects, proxies, cookies or decompression.
"""

import asyncio
import math
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from receiver.answers import EgressError as EgressError
from receiver.answers import ErrorClass as ErrorClass
from receiver.answers import Response as Response
from receiver.answers import Stream as Stream
from receiver.bounds import MAX_ANSWER, TOO_MUCH, Bounded
from receiver.guard import IPNetwork, refuse_header, refuse_url
from receiver.names import Denied, GuardedNames, Lookup, SystemNames, check
from receiver.timing import RUNNING, Phase, Stopwatch, TimedHandshake, entering

MAX_EXCERPT = 16 * 1024
MAX_KNOWN = 1_024
CHUNK = 64 * 1024
MAX_HEADER_FIELD = 8190
MAX_HEADER_FIELDS = 64

# Below the shortest keep-alive that common servers use (2 s), so that a POST rarely meets a connection being closed.
_KEEP_ALIVE_SECONDS = 1.0

_MISSING: Mapping[Phase, str] = {
    "dns": "no answer from the name server",
    "connect": "no TCP connection",
    "tls": "no TLS handshake",
    "response": "connected, but no answer",
}


class Egress:
    """Sends to addresses that users gave. Made inside a running event loop; `close` it there.

    `allowed` networks may be dialled although private. `timeout_ms` bounds a whole attempt, from resolving the name to
    the last byte. `resolver` replaces the system's. At most `connections` attempts run at once; waiting for one of
    them to end does not count against the timeout. `tls` replaces the system's default trust, and is given TLS objects
    that tell when a handshake begins.
    """

    def __init__(
        self,
        allowed: Sequence[IPNetwork],
        timeout_ms: int,
        *,
        resolver: Lookup | None = None,
        connections: int = 256,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._timeout_ms = timeout_ms
        self._slots = asyncio.Semaphore(connections)
        # Of a URL the same is true each time: what its name resolves to is asked and checked for each connection.
        self._target = lru_cache(maxsize=MAX_KNOWN)(self._read_target)
        tls = tls or _default_tls()
        tls.sslobject_class = TimedHandshake
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                resolver=_Resolver(GuardedNames(resolver or SystemNames(), allowed)),
                use_dns_cache=False,
                socket_factory=self._socket,
                ssl=tls,
                limit=0,
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
            ),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"accept-encoding": "identity", "user-agent": "Postback"},
            read_bufsize=MAX_EXCERPT,
            max_line_size=MAX_HEADER_FIELD,
            max_field_size=MAX_HEADER_FIELD,
            max_headers=MAX_HEADER_FIELDS,
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Sends one POST and reads its answer, whatever its status. Raises `EgressError` if there is none."""
        async with self._slots:
            clock = asyncio.get_running_loop().time
            started = clock()
            watch = Stopwatch(clock)
            async with self._exchange("POST", url, headers, body, watch) as response:
                excerpt, truncated = await _excerpt(response.content)
                if truncated:
                    response.close()
            duration = round((clock() - started) * 1000)
            return Response(response.status, _plain(response), excerpt, truncated, duration, watch.timing())

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Stream]:
        """Sends one GET. The deadline also bounds the block that reads the answer, in which, too, `EgressError` is
        raised; what a block leaves unread is not fetched."""
        watch = Stopwatch(asyncio.get_running_loop().time)
        async with self._slots, self._exchange("GET", url, {}, None, watch) as response:
            _lift_bounds(response)
            yield Stream(response.status, _plain(response), response.content.iter_chunked(CHUNK))
            if not response.content.at_eof():
                response.close()

    async def close(self) -> None:
        """Closes all connections. Attempts still running fail."""
        await self._session.close()

    @asynccontextmanager
    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, watch: Stopwatch
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, and its response for as long as the deadline allows to read it."""
        target, origin = self._target(url)
        for name, value in headers.items():
            if refusal := refuse_header(name, value):
                raise EgressError("guard", f"a header cannot be sent: {refusal}")
        answered = False
        running = RUNNING.set(watch)
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                async with self._session.request(
                    method, target, headers=headers, data=body, allow_redirects=False
                ) as response:
                    answered = True
                    if response.status < 100:
                        raise aiohttp.ClientPayloadError
                    yield response
        except TimeoutError:
            missing = "connected, but no complete answer" if answered else _MISSING[watch.phase or "connect"]
            message = f"{origin}: {missing} within {self._timeout_ms} ms"
            raise EgressError("timeout", message, watch.timing()) from None
        except aiohttp.ClientError as error:
            # Without its cause: the client's own errors carry the whole URL, which may hold a secret.
            error_class, reason = _explain(error, watch.phase)
            raise EgressError(error_class, f"{origin}: {reason}", watch.timing()) from None
        finally:
            RUNNING.reset(running)

    def _read_target(self, url: str) -> tuple[URL, str]:
        """Where a URL leads, and its origin, which may be told. Raises `EgressError`."""
        if refusal := refuse_url(url, self._allowed):
            raise EgressError("guard", refusal)
        try:
            # A URL that needs no encoding is sent exactly as it was given.
            target = URL(url, encoded=url.isascii())
            return target, str(target.origin())
        except ValueError:
            raise EgressError("guard", "the URL's host is not a host name") from None

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        check(str(address[0]), self._allowed)
        entering("connect")
        return socket.socket(family, kind, protocol)


class _Connector(aiohttp.TCPConnector):
    """Bounds what comes over its connections, and keeps none over which more came than the answer: whatever it still
    holds would be taken for the answer to the next request."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            entering("response")
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:
                return connection
            bounds = transport.get_protocol()
            if not isinstance(bounds, Bounded):
                bounds = Bounded(transport)
            elif protocol.should_close:
                connection.close()
                continue
            bounds.left = MAX_ANSWER
            return connection


class _Resolver(AbstractResolver):
    """The client's way to ask for names."""

    def __init__(self, names: GuardedNames) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        entering("dns")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._names.addresses(host)
        ]

    async def close(self) -> None:
        """Nothing is held: the lookup belongs to whoever gave it."""


def _default_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _explain(error: aiohttp.ClientError, phase: Phase | None) -> tuple[ErrorClass, str]:
    match error:
        case aiohttp.ClientConnectorError(os_error=Denied() as denied):
            return "guard", str(denied)
        case aiohttp.InvalidURL():
            return "guard", "the URL's host is not canonical"
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as untrusted):
            return "tls", f"the certificate is not trusted: {untrusted.verify_message}"
        case aiohttp.ClientSSLError(os_error=ssl.SSLError() as broken):
            return "tls", f"the TLS handshake failed: {broken.reason or 'the other side ended it'}"
        case aiohttp.ClientConnectorDNSError(os_error=os_error):
            return "dns", f"the name does not resolve: {os_error.strerror or os_error}"
        case aiohttp.ClientConnectorError(os_error=os_error) if phase == "tls":
            reason = os.strerror(os_error.errno) if os_error.errno else "the other side ended it"
            return "tls", f"the TLS handshake failed: {reason}"
        case aiohttp.ClientConnectorError(os_error=os_error):
            return "connect", os.strerror(os_error.errno) if os_error.errno else "the connection failed"
        case aiohttp.ClientOSError(errno=errno) if errno == TOO_MUCH:
            return "response", f"more than {MAX_ANSWER // 1024} KiB came, and no answer"
        case aiohttp.ClientResponseError(message=message):
            # Up to the colon the parser says what it misses, behind it what it found instead.
            return "response", f"the answer cannot be read as HTTP: {message.partition(':')[0] or 'malformed'}"
        case _:
            return "response", "the answer ended early or is malformed"


def _lift_bounds(response: aiohttp.ClientResponse) -> None:
    """For a body whose length is its reader's business."""
    transport = response.connection and response.connection.transport
    if transport and isinstance(bounds := transport.get_protocol(), Bounded):
        bounds.left = math.inf


async def _excerpt(content: aiohttp.StreamReader) -> tuple[bytes, bool]:
    # One byte more than is kept tells whether there is more.
    read = await content.read(MAX_EXCERPT + 1)
    while len(read) <= MAX_EXCERPT and not content.at_eof():
        read += await content.read(MAX_EXCERPT + 1 - len(read))
    return read[:MAX_EXCERPT], len(read) > MAX_EXCERPT


def _plain(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    plain: dict[str, str] = {}
    for raw_name, raw_value in response.raw_headers:
        name, value = raw_name.decode("ascii", "replace").lower(), raw_value.decode("utf-8", "replace")
        plain[name] = f"{plain[name]}, {value}" if name in plain else value
    return plain
