"""Subscribers: registered webhooks. Secrets and custom headers are sealed before they get here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from ledger.clock import rfc3339
from ledger.errors import NotFound, Refused
from ledger.keys import SecretKeys
from ledger.lifecycle import OPEN_DELIVERY
from ledger.moment import Moment
from ledger.outbox import DEFAULT_EVENTS, Outbox
from ledger.pages import Page, page
from ledger.schema import deliveries, in_states, subscribers

DEFAULT_MAX_IN_FLIGHT = 10


@dataclass(frozen=True, slots=True)
class Draft:
    """A subscriber that someone registers."""

    url: str
    sealed_secret: str
    events: Sequence[str] = DEFAULT_EVENTS
    description: str | None = None
    sealed_headers: str | None = None
    header_names: Sequence[str] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    max_in_flight: int = DEFAULT_MAX_IN_FLIGHT
    rate_limit: float | None = None


def create(connection: Connection, moment: Moment, draft: Draft) -> Row[Any]:
    """Registers a subscriber."""
    subscriber_id = moment.id("sub")
    connection.execute(
        insert(subscribers),
        {
            **asdict(draft),
            "id": subscriber_id,
            "old_secrets": [],
            "enabled": True,
            "disabled_reason": None,
            "created_at": moment.now,
            "deleted_at": None,
        },
    )
    return get(connection, subscriber_id)


def get(connection: Connection, subscriber_id: str) -> Row[Any]:
    """One subscriber. Raises `NotFound`."""
    query = select(subscribers).where(subscribers.c.id == subscriber_id, subscribers.c.deleted_at.is_(None))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"there is no subscriber {subscriber_id}")
    return row


def find(connection: Connection, *, cursor: str | None, limit: int) -> Page[Row[Any]]:
    """Subscribers, newest first. Raises `BadCursor`."""
    query = select(subscribers).where(subscribers.c.deleted_at.is_(None))
    return page(connection, query, subscribers, "sub", cursor=cursor, limit=limit)


def change(connection: Connection, moment: Moment, subscriber_id: str, changes: Mapping[str, Any]) -> Row[Any]:
    """Changes columns of a subscriber. Disabling it skips what it is owed. Raises `NotFound`."""
    before = get(connection, subscriber_id)
    changes = dict(changes)
    if changes.get("enabled") is True:
        changes["disabled_reason"] = None
    if changes:
        connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(**changes))
    if before.enabled and changes.get("enabled") is False:
        skip_deliveries(connection, moment, subscriber_id, "the subscriber is disabled")
    return get(connection, subscriber_id)


def rotate(connection: Connection, moment: Moment, subscriber_id: str, sealed_secret: str, grace: int) -> Row[Any]:
    """Gives a subscriber a new secret; the present one signs beside it for `grace` milliseconds. Raises `NotFound`."""
    before = get(connection, subscriber_id)
    old = [one for one in before.old_secrets if one["until"] > moment.now]
    if grace > 0:
        old.append({"sealed": before.sealed_secret, "until": moment.now + grace})
    return change(connection, moment, subscriber_id, {"sealed_secret": sealed_secret, "old_secrets": old})


def delete(connection: Connection, moment: Moment, subscriber_id: str) -> None:
    """Forgets a subscriber and its secrets; its deliveries stay to be seen. Raises `NotFound`."""
    get(connection, subscriber_id)
    forgotten = {"deleted_at": moment.now, "enabled": False, "sealed_secret": "", "sealed_headers": None}
    connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(**forgotten, old_secrets=[]))
    skip_deliveries(connection, moment, subscriber_id, "the subscriber was deleted")


def skip_deliveries(connection: Connection, moment: Moment, subscriber_id: str, why: str) -> None:
    """Stops what a subscriber is owed, visibly."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.subscriber_id == subscriber_id, in_states(deliveries, *OPEN_DELIVERY))
        .values(status="skipped", due_at=None, finished_at=moment.now, last_error=why)
    )


def ping(connection: Connection, moment: Moment, subscriber_id: str) -> str:
    """Writes a `postback.ping` for one subscriber; returns its delivery's id. Raises `NotFound` and `Refused`."""
    if not get(connection, subscriber_id).enabled:
        raise Refused("the subscriber is disabled; enable it first")
    outbox = Outbox(connection, moment)
    delivery_id = outbox.send("postback.ping", {"subscriber_id": subscriber_id}, subscriber_id)
    outbox.write()
    return delivery_id


def live_secrets(row: Row[Any], keys: SecretKeys, now: int) -> list[str]:
    """The secrets that sign at `now`: the present one, then those in their grace period."""
    sealed = [row.sealed_secret, *(one["sealed"] for one in row.old_secrets if one["until"] > now)]
    return [keys.decrypt(one) for one in sealed]


def document(row: Row[Any]) -> dict[str, Any]:
    """A subscriber on the wire, without its secret."""
    return {
        "id": row.id,
        "url": row.url,
        "events": row.events,
        "description": row.description,
        "headers": row.header_names,
        "metadata": row.metadata,
        "enabled": row.enabled,
        "disabled_reason": row.disabled_reason,
        "max_in_flight": row.max_in_flight,
        "rate_limit": row.rate_limit,
        "created_at": rfc3339(row.created_at),
    }
