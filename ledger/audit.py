"""Who changed a subscriber, when, and what. Secrets are named here, never told."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from ledger import durations
from ledger.clock import rfc3339
from ledger.moment import Moment
from ledger.schema import audit as table

SYSTEM = "postback"
"""The actor of what nobody asked for, such as disabling a subscriber that is gone."""

SECRET = "…"

_SEALED = {"sealed_secret": "secret", "sealed_private_key": "private_key", "sealed_headers": "header values"}
_NAMES = _SEALED | {"header_names": "headers"}
_UNTOLD = ("id", "created_at", "old_secrets", "deleted_at")


def record(
    connection: Connection, moment: Moment, subscriber_id: str, actor: str, action: str, changes: Mapping[str, Any]
) -> None:
    """Writes down one change. `changes` holds `{"from", "to"}` by field."""
    named = {"subscriber_id": subscriber_id, "at": moment.now, "actor": actor, "action": action}
    connection.execute(insert(table).values(**named, changes=dict(changes)))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What of a subscriber's row is different, by field: `{"from", "to"}`, where a secret is only said to be."""
    changed = {name: after[name] for name in after if name not in _UNTOLD and before.get(name) != after[name]}
    return {
        _NAMES.get(name, name): {"from": _told(name, before.get(name)), "to": _told(name, value)}
        for name, value in changed.items()
    }


def find(connection: Connection, subscriber_id: str, limit: int, before: int | None = None) -> list[Row[Any]]:
    """The latest changes of a subscriber, newest first; also of one that was deleted. `before` is a row's id."""
    query = select(table).where(table.c.subscriber_id == subscriber_id).order_by(table.c.id.desc())
    if before is not None:
        query = query.where(table.c.id < before)
    return list(connection.execute(query.limit(limit)))


def document(row: Row[Any]) -> dict[str, Any]:
    """A change on the wire."""
    return {"at": rfc3339(row.at), "actor": row.actor, "action": row.action, "changes": row.changes}


def _told(name: str, value: Any) -> Any:
    if name == "schedule" and value:
        return [durations.render(delay) for delay in value]
    return SECRET if name in _SEALED and value else value
