"""Names to addresses, none of which the guard denies; and how the system's resolver is asked.

Each name that is being looked up has a thread of its own, however many ask for it, and none waits for the thread of
another: a name server that hangs holds up the names it serves and no others. Such a thread cannot be stopped, only left
behind until the system gives up; it does not keep the process from ending.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

from receiver.guard import IPNetwork, known_addresses, refuse_address

MAX_NAMES = 512
"""Names looked up at once: more than there are attempts at once, since those that were left behind count too."""

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Host name to IP addresses as text. Raises OSError when the name has none."""


class Denied(OSError):
    """The guard's no. An OSError, because the HTTP client's connection racing understands no other."""


def check(address: str, allowed: Sequence[IPNetwork]) -> None:
    """Raises `Denied`, with the rule, for an address that may not be dialled."""
    try:
        refusal = refuse_address(ip_address(address), allowed)
    except ValueError:
        refusal = "the resolver's answer is not an IP address"
    if refusal:
        raise Denied(refusal)


class GuardedNames:
    """Looks names up, each time afresh. One denied answer refuses them all."""

    def __init__(self, lookup: Lookup, allowed: Sequence[IPNetwork]) -> None:
        self._lookup = lookup
        self._allowed = allowed

    async def addresses(self, host: str) -> Sequence[str]:
        """At least one. Raises `Denied`, and any other OSError when the name does not resolve."""
        found = await self._find(host)
        for address in found:
            check(address, self._allowed)
        return found

    async def _find(self, host: str) -> Sequence[str]:
        if known := known_addresses(host):
            # A known name stands for any of its addresses: allowing 127.0.0.0/8 is enough for localhost.
            allowed = [str(address) for address in known if refuse_address(address, self._allowed) is None]
            return allowed or [str(address) for address in known]
        try:
            found = await self._lookup(host)
        except UnicodeError:
            raise OSError("the host is not a name that can be resolved") from None
        if not found:
            raise OSError("the host has no address")
        return found


class SystemNames:
    """Host name to IP addresses as text, through `getaddrinfo`. Belongs to one event loop; keeps no answer."""

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._asked: dict[str, asyncio.Future[Sequence[str] | Exception]] = {}

    async def __call__(self, host: str) -> Sequence[str]:
        """Raises OSError when the name has no address, and UnicodeError when it can be none."""
        asked = self._asked.get(host) or self._ask(host)
        found = await asyncio.shield(asked)
        if isinstance(found, Exception):
            raise found
        return found

    def _ask(self, host: str) -> asyncio.Future[Sequence[str] | Exception]:
        if len(self._asked) >= self._limit:
            raise OSError(f"{self._limit} other names wait for the name server, and it does not answer")
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[Sequence[str] | Exception] = loop.create_future()

        def answered(found: Sequence[str] | Exception) -> None:
            del self._asked[host]
            asked.set_result(found)

        def ask() -> None:
            found = _addresses(host)
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(answered, found)

        try:
            threading.Thread(target=ask, name="egress-dns", daemon=True).start()
        except RuntimeError:
            raise OSError("the system gives no more threads to look names up") from None
        self._asked[host] = asked
        return asked


def _addresses(host: str) -> Sequence[str] | Exception:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except (OSError, UnicodeError) as error:
        return error
    return [str(address[0]) for *_, address in found]
