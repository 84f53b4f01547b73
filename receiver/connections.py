"""The connections of one egress: made through the guard, and kept a moment for whoever sends to the same place next."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

import aiohappyeyeballs

from receiver.connection import Connection, Late
from receiver.guard import IPNetwork
from receiver.names import GuardedNames, check
from receiver.timing import RUNNING, Stopwatch, TimedHandshake, entering

KEEP_SECONDS = 1.0
"""Below the shortest keep-alive of common servers (2 s), so that a POST rarely meets a connection being closed."""

MAX_ADDRESSES = 4
"""Of a name and each family: each that does not answer has a socket until the deadline."""

NEXT_ADDRESS_SECONDS = 0.25
"""After how long the next address of a name is tried beside the first (RFC 8305 §5)."""


class Origin(NamedTuple):
    """Where connections lead. `host` is as TLS and the resolver want it; an IPv6 address has no brackets."""

    tls: bool
    host: str
    port: int


class Connections:
    """Belongs to one event loop. Each connection's name is resolved and checked afresh."""

    def __init__(
        self,
        names: GuardedNames,
        allowed: Sequence[IPNetwork],
        tls: ssl.SSLContext,
        clock: Callable[[], float],
    ) -> None:
        tls.sslobject_class = TimedHandshake
        self._names = names
        self._allowed = allowed
        self._tls = tls
        self._clock = clock
        self._idle: dict[Origin, list[Connection]] = {}
        self._closed = False
        self._sweeping: asyncio.TimerHandle | None = None

    async def take(self, origin: Origin, watch: Stopwatch, deadline: float) -> Connection:
        """One that is kept, or a new one. Raises OSError, `ssl.SSLError` among them, and `Late`: the watch knows in
        which phase."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable and self._clock() - connection.idle_since < KEEP_SECONDS:
                return connection
            connection.abort()
        try:
            async with asyncio.timeout_at(deadline) as limit:
                return await self._dial(origin, watch)
        except TimeoutError:
            if limit.expired():
                raise Late from None
            raise  # the system's own patience with an address

    def give(self, origin: Origin, connection: Connection) -> None:
        """Ends an exchange, and keeps its connection if that may be."""
        if not connection.finish():
            return
        if self._closed:
            connection.abort()
            return
        connection.idle_since = self._clock()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._sweep)

    def close(self) -> None:
        """Closes those that are kept, and keeps no more."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()

    def _sweep(self) -> None:
        oldest = self._clock() - KEEP_SECONDS
        for origin, idle in list(self._idle.items()):
            young = [one for one in idle if one.usable and one.idle_since > oldest]
            for connection in idle:
                if connection not in young:
                    connection.abort()
            if young:
                self._idle[origin] = young
            else:
                del self._idle[origin]
        again = bool(self._idle)
        self._sweeping = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._sweep) if again else None

    async def _dial(self, origin: Origin, watch: Stopwatch) -> Connection:
        loop = asyncio.get_running_loop()
        running = RUNNING.set(watch)
        try:
            addresses = await self._addresses(origin)
            connected = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, socket_factory=self._socket
            )
            try:
                _, connection = await loop.create_connection(
                    Connection,
                    sock=connected,
                    ssl=self._tls if origin.tls else None,
                    server_hostname=origin.host.rstrip(".") if origin.tls else None,
                )
            except BaseException:
                connected.close()
                raise
        finally:
            RUNNING.reset(running)
        return connection

    async def _addresses(self, origin: Origin) -> list[aiohappyeyeballs.AddrInfoType]:
        try:
            found: Sequence[str] = [str(ip_address(origin.host))]
        except ValueError:
            entering("dns")
            found = _few(await self._names.addresses(origin.host))
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, origin.port),
            )
            for address in found
        ]

    def _socket(self, info: aiohappyeyeballs.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        check(str(address[0]), self._allowed)
        entering("connect")
        return socket.socket(family, kind, protocol)


def _few(addresses: Sequence[str]) -> list[str]:
    families = ([one for one in addresses if (":" in one) == six] for six in (False, True))
    kept = {one for family in families for one in family[:MAX_ADDRESSES]}
    return [one for one in addresses if one in kept]
