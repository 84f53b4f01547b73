"""Sealing again: after a change of the secret keys, what older ones sealed is sealed under the newest, part by part.

Each part holds its subscribers until it ends, as whoever changes or rotates one does, so that nothing newer is
overwritten.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from ledger.keys import BadKeys, SecretKeys
from ledger.moment import Moment
from ledger.schema import subscribers as table

PART = 300
"""How many subscribers one transaction looks at."""

_SEALED = ("sealed_secret", "sealed_headers", "sealed_private_key")
_UPDATE = (
    update(table)
    .where(table.c.id == bindparam("this_id"))
    .values({name: bindparam(f"new_{name}") for name in (*_SEALED, "old_secrets")})
)


@dataclass(frozen=True, slots=True)
class Part:
    """How many subscribers were sealed again, how many hold what none of the keys opens, and where the next part
    begins; None at the end."""

    resealed: int
    unreadable: int
    after: str | None


def reseal(connection: Connection, moment: Moment, keys: SecretKeys, after: str | None = None) -> Part:
    """Seals what a part of the subscribers hold under the newest key, one-off and disabled ones too."""
    columns = [table.c[name] for name in ("id", *_SEALED, "old_secrets")]
    query = select(*columns).where(table.c.id > (after or ""), table.c.deleted_at.is_(None)).order_by(table.c.id)
    held = connection.execute(query.limit(PART).with_for_update()).all()
    changes, unreadable = [], 0
    for row in held:
        try:
            fresh = _fresh(row, keys)
        except BadKeys:
            unreadable += 1
            continue
        if any(fresh[name] != row._mapping[name] for name in fresh):
            changes.append({"this_id": row.id} | {f"new_{name}": value for name, value in fresh.items()})
    if changes:
        connection.execute(_UPDATE, changes)
    return Part(len(changes), unreadable, held[-1].id if len(held) == PART else None)


def _fresh(row: Row[Any], keys: SecretKeys) -> dict[str, Any]:
    """The sealed columns of a row under the newest key. Raises `BadKeys`."""
    fresh: dict[str, Any] = {name: _resealed(row._mapping[name], keys) for name in _SEALED}
    return fresh | {"old_secrets": [{**one, "sealed": _resealed(one["sealed"], keys)} for one in row.old_secrets]}


def _resealed(sealed: str | None, keys: SecretKeys) -> str | None:
    return sealed if not sealed or keys.is_newest(sealed) else keys.encrypt(keys.decrypt(sealed))
