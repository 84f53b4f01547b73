"""The one door for everything that goes to an address a user gave.

Every name is resolved afresh for each connection and every answer is checked against `receiver/guard.py`; one denied
answer refuses them all. The check is repeated where the socket is made, for the very address that is dialled, because
nobody asks a resolver about an IP literal. Host header, SNI and certificate stay with the name.

Nothing else is taken from the other side or from the environment: no redirects, proxies, cookies or decompression.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache

from receiver.answers import EgressError as EgressError
from receiver.answers import ErrorClass as ErrorClass
from receiver.answers import Response as Response
from receiver.answers import Stream as Stream
from receiver.connection import Answer, Broken, Connection, Late
from receiver.connections import Connections
from receiver.guard import IPNetwork
from receiver.names import Denied, GuardedNames, Lookup, SystemNames
from receiver.target import Target, target
from receiver.timing import Phase, Stopwatch

MAX_EXCERPT = 16 * 1024
MAX_KNOWN = 1_024

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
        self._timeout = timeout_ms / 1000
        self._slots = asyncio.Semaphore(connections)
        self._clock = asyncio.get_running_loop().time
        # Of a URL the same is true each time: what its name resolves to is asked and checked for each connection.
        self._target = lru_cache(maxsize=MAX_KNOWN)(lambda url: target(url, allowed))
        names = GuardedNames(resolver or SystemNames(), allowed)
        self._connections = Connections(names, allowed, tls or _default_tls(), self._clock)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Sends one POST and reads its answer, whatever its status. Raises `EgressError` if there is none."""
        to = self._target(url)
        request = to.request("POST", headers, body)
        async with self._slots:
            started = self._clock()
            watch, answer = Stopwatch(self._clock), Answer()
            # One byte more than is kept tells whether there is more.
            connection = await self._begin(to, request, answer, watch, MAX_EXCERPT + 1, started + self._timeout)
            self._connections.give(to.origin, connection)
            excerpt, truncated = bytes(answer.body[:MAX_EXCERPT]), len(answer.body) > MAX_EXCERPT
            duration = round((self._clock() - started) * 1000)
            return Response(answer.status, _plain(answer), excerpt, truncated, duration, watch.timing())

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Stream]:
        """Sends one GET. The deadline also bounds the block that reads the answer, in which, too, `EgressError` is
        raised; what a block leaves unread is not fetched."""
        to = self._target(url)
        request = to.request("GET", {})
        async with self._slots:
            deadline = self._clock() + self._timeout
            watch, answer = Stopwatch(self._clock), Answer()
            connection = await self._begin(to, request, answer, watch, 0, deadline)
            limit = asyncio.timeout_at(deadline)
            try:
                async with limit:
                    yield Stream(answer.status, _plain(answer), _chunks(connection))
            except Broken as broken:
                raise EgressError("response", f"{to.shown}: {broken}", watch.timing()) from None
            except (Late, TimeoutError) as late:
                if isinstance(late, TimeoutError) and not limit.expired():
                    raise
                raise self._late(to, answer, watch) from None
            finally:
                self._connections.give(to.origin, connection)

    async def close(self) -> None:
        """Closes the connections that are kept."""
        self._connections.close()

    async def _begin(
        self, to: Target, request: bytes, answer: Answer, watch: Stopwatch, enough: int, deadline: float
    ) -> Connection:
        """Sends a request, and returns the connection over which enough of its answer's body has come."""
        try:
            connection = await self._connections.take(to.origin, watch, deadline)
            watch.enter("response")
            await connection.exchange(request, answer, enough, deadline)
        except Late:
            raise self._late(to, answer, watch) from None
        except Broken as broken:
            raise EgressError("response", f"{to.shown}: {broken}", watch.timing()) from None
        except (OSError, RuntimeError) as error:  # the latter is uvloop's for a socket that it cannot take
            error_class, reason = _explain(error, watch.phase)
            raise EgressError(error_class, f"{to.shown}: {reason}", watch.timing()) from None
        return connection

    def _late(self, to: Target, answer: Answer, watch: Stopwatch) -> EgressError:
        missing = "connected, but no complete answer" if answer.begun else _MISSING[watch.phase or "connect"]
        return EgressError("timeout", f"{to.shown}: {missing} within {self._timeout * 1000:.0f} ms", watch.timing())


def _default_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _explain(error: OSError | RuntimeError, phase: Phase | None) -> tuple[ErrorClass, str]:
    """Why there is no connection."""
    match error, phase:
        case Denied(), _:
            return "guard", str(error)
        case RuntimeError(), _:
            return "connect", "the connection failed"
        case OSError(), "dns":
            return "dns", f"the name does not resolve: {error.strerror or error}"
        case ssl.SSLCertVerificationError(verify_message=reason), _:
            return "tls", f"the certificate is not trusted: {reason}"
        case ssl.SSLError(reason=reason), _:
            return "tls", f"the TLS handshake failed: {reason or 'the other side ended it'}"
        case OSError(), "tls":
            reason = os.strerror(error.errno) if error.errno else "the other side ended it"
            return "tls", f"the TLS handshake failed: {reason}"
        case _:
            return "connect", os.strerror(error.errno) if error.errno else "the connection failed"


async def _chunks(connection: Connection) -> AsyncIterator[bytes]:
    while chunk := await connection.read():
        yield chunk


def _plain(answer: Answer) -> Mapping[str, str]:
    plain: dict[str, str] = {}
    for raw_name, raw_value in answer.headers:
        name, value = raw_name.decode("ascii", "replace").lower(), raw_value.decode("utf-8", "replace")
        plain[name] = f"{plain[name]}, {value}" if name in plain else value
    return plain
