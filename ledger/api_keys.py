"""Named API keys. Of a key only its digest is kept, so whoever reads the database cannot use one."""

import hashlib
import secrets
from collections.abc import Collection
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, insert, or_, select, update

from ledger.clock import MINUTE, rfc3339
from ledger.errors import NotFound
from ledger.moment import Moment
from ledger.pages import Page, page
from ledger.schema import api_keys as table

Scope = Literal["read", "submit", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""What a key may do, each more than the one before: look; submit and cancel jobs besides; everything."""

PREFIX = "pbk_"
"""How the text of every named key begins, so that a scanner for leaked secrets can know one."""

USE_NOTED_EVERY = 1 * MINUTE


def new_key() -> str:
    """The text of a fresh key: 32 random bytes in URL-safe base64."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """What is kept of a key. Its text is random and long, so a plain sha256 cannot be guessed backwards."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def allows(scope: Scope, needed: Scope) -> bool:
    """Whether a key of that scope may do what needs another."""
    return SCOPES.index(scope) >= SCOPES.index(needed)


def create(connection: Connection, moment: Moment, name: str, scope: Scope, digest: str) -> Row[Any]:
    """Remembers a new key by its digest."""
    key_id = moment.id("key")
    connection.execute(insert(table).values(id=key_id, name=name, scope=scope, digest=digest, created_at=moment.now))
    return get(connection, key_id)


def get(connection: Connection, key_id: str) -> Row[Any]:
    """One key, also a revoked one. Raises `NotFound`."""
    row = connection.execute(select(table).where(table.c.id == key_id)).one_or_none()
    if row is None:
        raise NotFound("there is no such API key")
    return row


def find(connection: Connection, *, cursor: str | None, limit: int) -> Page[Row[Any]]:
    """Keys, newest first, also those that were revoked. Raises `BadCursor`."""
    return page(connection, select(table), table, "key", cursor=cursor, limit=limit)


def find_live(connection: Connection, *, digest: str | None = None, key_id: str | None = None) -> Row[Any] | None:
    """The key that has this digest, or this id, unless it was revoked."""
    wanted = table.c.digest == digest if key_id is None else table.c.id == key_id
    return connection.execute(select(table).where(wanted, table.c.revoked_at.is_(None))).one_or_none()


def revoke(connection: Connection, moment: Moment, key_id: str) -> Row[Any]:
    """Ends a key for good; one that was revoked before stays as it is. Raises `NotFound`."""
    connection.execute(
        update(table).where(table.c.id == key_id, table.c.revoked_at.is_(None)).values(revoked_at=moment.now)
    )
    return get(connection, key_id)


def note_use(connection: Connection, moment: Moment, key_ids: Collection[str]) -> int:
    """Writes down that these keys are in use, unless that was done within the last minute; how many were noted."""
    due = or_(table.c.last_used_at.is_(None), table.c.last_used_at <= moment.now - USE_NOTED_EVERY)
    used = update(table).where(table.c.id.in_(sorted(key_ids)), table.c.revoked_at.is_(None), due)
    return connection.execute(used.values(last_used_at=moment.now)).rowcount


def document(row: Row[Any]) -> dict[str, Any]:
    """A key on the wire, without its text and digest."""
    times = {name: row._mapping[name] for name in ("created_at", "last_used_at", "revoked_at")}
    shown = {name: None if at is None else rfc3339(at) for name, at in times.items()}
    return {"id": row.id, "name": row.name, "scope": row.scope, **shown}
