"""The one door for everything that goes to an address a user gave.

Every name is resolved afresh for each connection and every answer is checked against `receiver/guard.py`; one denied
answer refuses them all. The check is repeated where the socket is made, for the very address that is dialled, because
the HTTP client never asks its resolver about an IP literal. Host header, SNI and certificate stay with the name.

Nothing else is taken from the other side or from the environment: no redirects, proxies, cookies or decompression.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from receiver.guard import IPNetwork, known_addresses, refuse_address, refuse_header, refuse_url

MAX_EXCERPT = 16 * 1024
CHUNK = 64 * 1024
MAX_HEADER_FIELD = 8190
MAX_HEADER_FIELDS = 64

# Below the shortest keep-alive that common servers use (2 s), so that a POST rarely meets a connection being closed.
_KEEP_ALIVE_SECONDS = 1.0

ErrorClass = Literal["dns", "connect", "tls", "timeout", "guard", "response"]
Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Host name to IP addresses as text. Raises OSError when the name has none."""


class EgressError(Exception):
    """No usable answer came. `message` names scheme, host and port at most, never path or query."""

    def __init__(self, error_class: ErrorClass, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.message = message


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: header names in lower case, and the first `MAX_EXCERPT` bytes of the body as they were sent."""

    status: int
    headers: Mapping[str, str]
    excerpt: bytes
    truncated: bool
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is still to come, in chunks of at most `CHUNK` bytes. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Egress:
    """Sends to addresses that users gave. Made inside a running event loop; `close` it there.

    `allowed` networks may be dialled although private. `timeout_ms` bounds a whole attempt, from resolving the name to
    the last byte. `resolver` replaces the system's. At most `connections` attempts run at once; waiting for one of
    them to end does not count against the timeout. `tls` replaces the system's default trust.
    """

    def __init__(
        self,
        allowed: Sequence[IPNetwork],
        timeout_ms: int,
        *,
        resolver: Lookup | None = None,
        connections: int = 100,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._timeout_ms = timeout_ms
        self._slots = asyncio.Semaphore(connections)
        # Threads of our own: a name server that hangs must not take those that others of this process wait for.
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="egress-dns")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_GuardedResolver(resolver or self._system_lookup, allowed),
                use_dns_cache=False,
                socket_factory=self._socket,
                ssl=tls or _default_tls(),
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
            async with self._exchange("POST", url, headers, body) as response:
                excerpt, truncated = await _excerpt(response.content)
                if truncated:
                    response.close()
            return Response(response.status, _plain(response), excerpt, truncated, round((clock() - started) * 1000))

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Stream]:
        """Sends one GET. The deadline also bounds the block that reads the answer, in which, too, `EgressError` is
        raised; what a block leaves unread is not fetched."""
        async with self._slots, self._exchange("GET", url, {}, None) as response:
            yield Stream(response.status, _plain(response), response.content.iter_chunked(CHUNK))
            if not response.content.at_eof():
                response.close()

    async def close(self) -> None:
        """Closes all connections. Attempts still running fail."""
        await self._session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, and its response for as long as the deadline allows to read it."""
        target = self._judge(url, headers)
        origin = str(target.origin())
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                async with self._session.request(
                    method, target, headers=headers, data=body, allow_redirects=False
                ) as response:
                    yield response
        except TimeoutError:
            raise EgressError("timeout", f"{origin}: no complete answer within {self._timeout_ms} ms") from None
        except aiohttp.ClientError as error:
            # Without its cause: the client's own errors carry the whole URL, which may hold a secret.
            error_class, reason = _explain(error)
            raise EgressError(error_class, f"{origin}: {reason}") from None

    def _judge(self, url: str, headers: Mapping[str, str]) -> URL:
        if refusal := refuse_url(url, self._allowed):
            raise EgressError("guard", refusal)
        for name, value in headers.items():
            if refusal := refuse_header(name, value):
                raise EgressError("guard", f"a header cannot be sent: {refusal}")
        try:
            # A URL that needs no encoding is sent exactly as it was given.
            return URL(url, encoded=url.isascii())
        except ValueError:
            raise EgressError("guard", "the URL's host is not a host name") from None

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        _check(str(address[0]), self._allowed)
        return socket.socket(family, kind, protocol)

    async def _system_lookup(self, host: str) -> Sequence[str]:
        def lookup() -> Sequence[str]:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            return [str(address[0]) for *_, address in found]

        return await asyncio.get_running_loop().run_in_executor(self._threads, lookup)


class _Denied(OSError):
    """The guard's no. An OSError, because the client's connection racing understands no other."""


class _GuardedResolver(AbstractResolver):
    def __init__(self, lookup: Lookup, allowed: Sequence[IPNetwork]) -> None:
        self._lookup = lookup
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._addresses(host)
        for address in addresses:
            _check(address, self._allowed)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def _addresses(self, host: str) -> Sequence[str]:
        if known := known_addresses(host):
            # A known name stands for any of its addresses: allowing 127.0.0.0/8 is enough for localhost.
            allowed = [str(address) for address in known if refuse_address(address, self._allowed) is None]
            return allowed or [str(address) for address in known]
        try:
            addresses = await self._lookup(host)
        except UnicodeError:
            raise OSError("the host is not a name that can be resolved") from None
        if not addresses:
            raise OSError("the host has no address")
        return addresses

    async def close(self) -> None:
        """Nothing is held: the lookup belongs to whoever gave it."""


def _check(address: str, allowed: Sequence[IPNetwork]) -> None:
    try:
        refusal = refuse_address(ip_address(address), allowed)
    except ValueError:
        refusal = "the resolver's answer is not an IP address"
    if refusal:
        raise _Denied(refusal)


def _default_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _explain(error: aiohttp.ClientError) -> tuple[ErrorClass, str]:
    match error:
        case aiohttp.ClientConnectorError(os_error=_Denied() as denied):
            return "guard", str(denied)
        case aiohttp.InvalidURL():
            return "guard", "the URL's host is not canonical"
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as untrusted):
            return "tls", f"the certificate is not trusted: {untrusted.verify_message}"
        case aiohttp.ClientSSLError(os_error=ssl.SSLError() as broken):
            return "tls", f"the TLS handshake failed: {broken.reason}"
        case aiohttp.ClientConnectorDNSError(os_error=os_error):
            return "dns", f"the name does not resolve: {os_error.strerror or os_error}"
        case aiohttp.ClientConnectorError(os_error=os_error):
            return "connect", os.strerror(os_error.errno) if os_error.errno else "the connection failed"
        case aiohttp.ClientResponseError():
            return "response", "the answer is not HTTP, or its headers are too large"
        case _:
            return "response", "the answer ended early or is malformed"


async def _excerpt(content: aiohttp.StreamReader) -> tuple[bytes, bool]:
    try:
        # One byte more than is kept tells whether there is more.
        return (await content.readexactly(MAX_EXCERPT + 1))[:MAX_EXCERPT], True
    except asyncio.IncompleteReadError as end:
        return end.partial, False


def _plain(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    plain: dict[str, str] = {}
    for raw_name, raw_value in response.raw_headers:
        name, value = raw_name.decode("ascii", "replace").lower(), raw_value.decode("utf-8", "replace")
        plain[name] = f"{plain[name]}, {value}" if name in plain else value
    return plain
