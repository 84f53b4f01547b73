"""Who asks, and what they may do: the holder of the configured key, of a named key, or of nothing.

A named key that was found good is believed for `BELIEVED` without asking the database again. So a revoked one ends at
once in the process that revoked it, and within that time in every other.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from ledger import api_keys
from ledger.api_keys import Scope
from ledger.clock import SECOND
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from receiver.problems import Problem

BELIEVED = 5 * SECOND
MAX_BELIEVED = 1_024
"""How many keys are remembered at most; beyond that it begins anew."""

_MISSING = (
    "Send the API key as 'Authorization: Bearer KEY'. The server keeps it in POSTBACK_HOME/api.key "
    "unless POSTBACK_API_KEY is set."
)
_UNKNOWN = "This API key is not known here, or it was revoked."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `key_id` is None for the configured key."""

    scope: Scope
    name: str
    key_id: str | None = None

    def may(self, needed: Scope) -> bool:
        """Whether their scope is enough."""
        return api_keys.allows(self.scope, needed)

    def require(self, needed: Scope) -> None:
        """Raises `Problem` unless their scope is enough."""
        if not self.may(needed):
            raise Problem(
                "forbidden",
                f"This needs an API key with the scope {needed}; yours has {self.scope}. Whoever has an admin key can "
                f"make one: postback keys create NAME --scope {needed}",
            )


OPERATOR = Caller("admin", "API key")
"""Whoever has the configured key."""


class Callers:
    """Knows callers by their keys, and notes now and then which keys are in use."""

    def __init__(self, ledger: Ledger, api_key: str) -> None:
        self._ledger = ledger
        self._api_key = api_key.encode()
        self._believed: dict[str, tuple[int, Caller]] = {}
        self._revocations = 0
        self._used: set[str] = set()
        self._noted: dict[str, int] = {}

    async def of_header(self, authorization: str) -> Caller:
        """Who sends that `Authorization`. Raises `Problem`."""
        scheme, _, key = authorization.partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else ""
        caller = await self.of_key(key) if key else None
        if caller is None:
            raise Problem("unauthorized", _UNKNOWN if key else _MISSING, headers={"WWW-Authenticate": "Bearer"})
        return caller

    async def of_key(self, key: str) -> Caller | None:
        """Who has a key; None if it is not good."""
        if secrets.compare_digest(key.encode("utf-8", "replace"), self._api_key):
            return OPERATOR
        if not key.startswith(api_keys.PREFIX):
            return None
        return await self._find(digest=api_keys.digest(key))

    async def of_id(self, key_id: str) -> Caller | None:
        """Who has the named key with that id; None if it was revoked."""
        return await self._find(key_id=key_id)

    async def still_good(self, caller: Caller) -> bool:
        """Whether the key of somebody who was let in before has not been revoked, as far as can be told."""
        if caller.key_id is None:
            return True
        try:
            return await self.of_id(caller.key_id) is not None
        except Unavailable:
            return True

    def forget(self, key_id: str) -> None:
        """A key was revoked here: it is believed no longer."""
        # What is being read at the moment may still say that the key is good.
        self._revocations += 1
        self._believed = {by: held for by, held in self._believed.items() if held[1].key_id != key_id}

    async def run_once(self, now: int) -> int | None:
        """Writes down which keys are in use."""
        due = set(self._used)
        if due:
            await self._ledger.write(api_keys.note_use, due)
            self._noted.update(dict.fromkeys(due, now))
            self._used -= due
        return None

    async def _find(self, **by: str) -> Caller | None:
        (name,) = by.values()
        now = self._ledger.clock()
        until, caller = self._believed.get(name, (0, None))
        if caller is None or until <= now:
            revocations = self._revocations
            row = await self._ledger.read(api_keys.find_live, **by)
            if row is None:
                return None
            caller = _caller(row)
            if revocations == self._revocations:
                self._believe(name, now + BELIEVED, caller)
        self._note(caller, now)
        return caller

    def _note(self, caller: Caller, now: int) -> None:
        """Each key at most once a minute, and never while a request waits."""
        if caller.key_id is not None and now - self._noted.get(caller.key_id, 0) >= api_keys.USE_NOTED_EVERY:
            self._used.add(caller.key_id)

    def _believe(self, name: str, until: int, caller: Caller) -> None:
        if len(self._believed) >= MAX_BELIEVED:
            self._believed.clear()
        self._believed[name] = (until, caller)


def _caller(row: Row[Any]) -> Caller:
    return Caller(row.scope, row.name, row.id)
