"""One-time links that sign a browser in: kept as a digest until they are used or expire."""

from sqlalchemy import Connection, delete, insert

from ledger.api_keys import Scope
from ledger.clock import MINUTE
from ledger.moment import Moment
from ledger.schema import sign_in_links as table

LIFETIME = 15 * MINUTE
"""How long a link is good: to walk to another machine with it, not to find it in an old mail."""


def create(connection: Connection, moment: Moment, digest: str, scope: Scope) -> int:
    """Remembers a link, and returns when it expires. Those that have expired are forgotten."""
    connection.execute(delete(table).where(table.c.expires_at <= moment.now))
    expires_at = moment.now + LIFETIME
    connection.execute(insert(table).values(digest=digest, scope=scope, expires_at=expires_at))
    return expires_at


def use(connection: Connection, moment: Moment, digest: str) -> Scope | None:
    """The scope of a link, which is used up by this; None where there is none, any more or at all."""
    used = delete(table).where(table.c.digest == digest, table.c.expires_at > moment.now)
    return connection.execute(used.returning(table.c.scope)).scalar_one_or_none()
