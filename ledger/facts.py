"""What the database knows about its installation: which secret key it was last used with."""

import contextlib

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from ledger.errors import CannotOpen
from ledger.keys import SecretKeys
from ledger.moment import Moment
from ledger.schema import facts

_SIGNING_KEY = "signing_key"
_WRITABLE = "writable"


def check_keys(connection: Connection, moment: Moment, keys: SecretKeys) -> None:
    """Refuses keys that could not verify what this database's last process signed. Raises `CannotOpen`.

    A new signing key is remembered: add it as the last of POSTBACK_SECRET_KEYS and keep the old ones before it.
    """
    held = select(facts.c.value).where(facts.c.name == _SIGNING_KEY).with_for_update()
    known = connection.execute(held).scalar()
    if known is None:
        with contextlib.suppress(IntegrityError), connection.begin_nested():  # another process was first
            connection.execute(insert(facts).values(name=_SIGNING_KEY, value=keys.fingerprints[-1]))
        known = connection.execute(held).scalar()
    if known not in keys.fingerprints:
        raise CannotOpen(
            "POSTBACK_SECRET_KEYS lacks the key that this database was last used with, so running jobs and stored "
            "secrets would be lost. Put that key back, oldest first; a new one goes at the end"
        )
    if known != keys.fingerprints[-1]:
        connection.execute(update(facts).where(facts.c.name == _SIGNING_KEY).values(value=keys.fingerprints[-1]))


def touch(connection: Connection, moment: Moment) -> None:
    """Writes something, to see that it can be done."""
    done = connection.execute(update(facts).where(facts.c.name == _WRITABLE).values(value=str(moment.now)))
    if done.rowcount == 0:
        with contextlib.suppress(IntegrityError), connection.begin_nested():  # another process was first
            connection.execute(insert(facts).values(name=_WRITABLE, value=str(moment.now)))


def last_key(connection: Connection) -> str | None:
    """The fingerprint of the key that last signed; None before any did."""
    return connection.scalar(select(facts.c.value).where(facts.c.name == _SIGNING_KEY))


def time(connection: Connection) -> int | None:
    """What PostgreSQL's clock says, in UTC milliseconds; None on SQLite, which has none of its own."""
    if connection.dialect.name != "postgresql":
        return None
    return int(
        connection.exec_driver_sql("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)").scalar_one()
    )
