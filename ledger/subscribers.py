"""Subscribers: registered webhooks. Secrets and custom headers are sealed before they get here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from ledger import audit, durations, lanes, salvage
from ledger.clock import rfc3339
from ledger.columns import in_states
from ledger.errors import NotFound
from ledger.events import DEFAULT_EVENTS
from ledger.keys import SecretKeys
from ledger.lane import DEFAULT_MAX_IN_FLIGHT, Lane
from ledger.lifecycle import OPEN_DELIVERY
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.pages import Page, page
from ledger.salvage import Wreck
from ledger.schema import deliveries, subscribers

MAX_OLD_SECRETS = 8
"""How many replaced secrets sign at most; then the oldest ends, or the signatures would outgrow what servers accept."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A subscriber that someone registers; with a `job_id` it is the one-off of that job's own URL.

    `schedule` holds its own delays in milliseconds, None where the settings' schedule is good for it.
    """

    url: str
    sealed_secret: str
    events: Sequence[str] = DEFAULT_EVENTS
    description: str | None = None
    sealed_headers: str | None = None
    header_names: Sequence[str] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    max_in_flight: int = DEFAULT_MAX_IN_FLIGHT
    rate_limit: float | None = None
    filter: dict[str, Any] | None = None
    payload: str = "full"
    schedule: list[int] | None = None
    sealed_private_key: str | None = None
    public_key: str | None = None
    job_id: str | None = None


def create(connection: Connection, moment: Moment, draft: Draft, by: str = audit.SYSTEM) -> Row[Any]:
    """Registers a subscriber. `by` is who did it, here and below."""
    subscriber_id = moment.id("sub")
    row = new_row(subscriber_id, draft, moment.now)
    connection.execute(insert(subscribers), row)
    lanes.open_lanes(connection, [subscriber_id])
    audit.record(connection, moment, subscriber_id, by, "created", audit.differences({}, row))
    return get(connection, subscriber_id)


def new_row(subscriber_id: str, draft: Draft, now: int) -> dict[str, Any]:
    """The row of a subscriber that is new at `now`."""
    fresh = {"old_secrets": [], "enabled": True, "disabled_reason": None, "deleted_at": None}
    return {**asdict(draft), **fresh, "id": subscriber_id, "created_at": now}


def get(connection: Connection, subscriber_id: str) -> Row[Any]:
    """One subscriber. Raises `NotFound`."""
    return _one(connection, subscriber_id)


def hold(connection: Connection, subscriber_id: str) -> Row[Any]:
    """One subscriber, held until the transaction ends: what is decided by it stays true. Raises `NotFound`."""
    return _one(connection, subscriber_id, held=True)


def find(connection: Connection, *, cursor: str | None, limit: int) -> Page[Row[Any]]:
    """Subscribers, newest first, without the one-off ones of jobs. Raises `BadCursor`."""
    query = select(subscribers).where(subscribers.c.deleted_at.is_(None), subscribers.c.job_id.is_(None))
    return page(connection, query, subscribers, "sub", cursor=cursor, limit=limit)


def newest(connection: Connection, limit: int, cursor: str | None = None) -> Sequence[Row[Any] | Wreck]:
    """The same where some may be damaged: those are said to be there. `cursor` is the last id that was seen."""
    query = select(subscribers).where(subscribers.c.deleted_at.is_(None), subscribers.c.job_id.is_(None))
    if cursor is not None:
        query = query.where(subscribers.c.id < cursor)
    return salvage.read(connection, query.order_by(subscribers.c.id.desc()).limit(limit), subscribers.c.id)


def named(connection: Connection, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Where these deliver to, by id: their `url` and `deleted_at`; also those that were deleted."""
    query: Select[Any] = select(subscribers.c.id, subscribers.c.url, subscribers.c.deleted_at)
    return {row.id: row for row in connection.execute(query.where(subscribers.c.id.in_(sorted(set(ids)))))}


def missing(connection: Connection, ids: Iterable[str]) -> list[str]:
    """Those of these ids that no subscriber has."""
    wanted = sorted(set(ids))
    query = select(subscribers.c.id).where(subscribers.c.id.in_(wanted), subscribers.c.job_id.is_(None))
    found = {row.id for row in connection.execute(query.where(subscribers.c.deleted_at.is_(None)))}
    return [one for one in wanted if one not in found]


def change(
    connection: Connection,
    moment: Moment,
    subscriber_id: str,
    changes: Mapping[str, Any],
    by: str = audit.SYSTEM,
    *,
    unsent: int | None = None,
) -> Row[Any]:
    """Changes columns of a subscriber. Disabling it skips what it is owed. Raises `NotFound`.

    `unsent` is when a delivery was made that it did not get besides, such as the one that it answered 410.
    """
    before = hold(connection, subscriber_id)
    changes = dict(changes)
    if changes.get("enabled") is True:
        changes["disabled_reason"] = None
    if changes:
        connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(**changes))
    after = get(connection, subscriber_id)
    different = audit.differences(before._asdict(), after._asdict())
    if before.enabled and not after.enabled:
        different |= _skipped(connection, moment, before, unsent)
        outbox = Outbox(connection, moment)
        outbox.tell("subscriber.disabled", document(after), but=subscriber_id)
        outbox.write()
    if different:
        audit.record(connection, moment, subscriber_id, by, "changed", different)
    _move(connection, before, after)
    if after.job_id is None and (before.url != after.url or (after.enabled and not before.enabled)):
        # What failed before says nothing of what comes now.
        lanes.hold(connection, [subscriber_id])
        lanes.save(connection, [Lane(subscriber_id)])
    return after


def rotate(
    connection: Connection,
    moment: Moment,
    subscriber_id: str,
    fresh: Mapping[str, Any],
    grace: int,
    by: str = audit.SYSTEM,
) -> Row[Any]:
    """Gives a subscriber new secrets; the present ones sign beside them for `grace` milliseconds, with 0 no longer.

    `fresh` holds `sealed_secret`, and for those that sign with ed25519 `sealed_private_key` and `public_key`. Raises
    `NotFound`.
    """
    before = hold(connection, subscriber_id)
    old = [one for one in before.old_secrets if one["until"] > moment.now]
    replaced = [before._mapping[name] for name in ("sealed_secret", "sealed_private_key") if name in fresh]
    old += [{"sealed": one, "until": moment.now + grace} for one in replaced if one]
    old = old[-MAX_OLD_SECRETS:]
    return change(connection, moment, subscriber_id, {**fresh, "old_secrets": old if grace > 0 else []}, by)


def delete(connection: Connection, moment: Moment, subscriber_id: str, by: str = audit.SYSTEM) -> None:
    """Forgets a subscriber and its secrets; its deliveries stay to be seen. Raises `NotFound`."""
    row = hold(connection, subscriber_id)
    forgotten = {"deleted_at": moment.now, "enabled": False, "sealed_secret": "", "sealed_headers": None}
    forgotten |= {"sealed_private_key": None, "old_secrets": []}
    connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(**forgotten))
    audit.record(connection, moment, subscriber_id, by, "deleted", {})
    skip_deliveries(connection, moment, row, "the subscriber was deleted")
    lanes.close_lane(connection, subscriber_id)


def _skipped(connection: Connection, moment: Moment, row: Row[Any], unsent: int | None) -> dict[str, Any]:
    """Skips what a subscriber is owed, and says from when on it has to be recovered."""
    lane = lanes.key_of(row.id, row.url, row.job_id)
    query = select(func.min(deliveries.c.created_at)).where(deliveries.c.subscriber_id == row.id)
    oldest = connection.execute(query.where(deliveries.c.lane == lane, in_states(deliveries, *OPEN_DELIVERY))).scalar()
    skip_deliveries(connection, moment, row, "the subscriber is disabled")
    since = min(one for one in (oldest, unsent, moment.now) if one is not None)
    return {"unsent_since": {"from": None, "to": rfc3339(since)}}


def skip_deliveries(connection: Connection, moment: Moment, row: Row[Any], why: str) -> None:
    """Stops what a subscriber is owed, visibly."""
    lane = lanes.key_of(row.id, row.url, row.job_id)
    connection.execute(
        update(deliveries)
        .where(deliveries.c.lane == lane, in_states(deliveries, *OPEN_DELIVERY))
        .where(deliveries.c.subscriber_id == row.id)
        .values(status="skipped", due_at=None, finished_at=moment.now, last_error=why)
    )


def _move(connection: Connection, before: Row[Any], after: Row[Any]) -> None:
    """Moves what a one-off is owed into the lane of its new URL's host."""
    old, new = (lanes.key_of(row.id, row.url, row.job_id) for row in (before, after))
    if old != new:
        lanes.open_lanes(connection, [new])
        waiting = update(deliveries).where(deliveries.c.lane == old, in_states(deliveries, *OPEN_DELIVERY))
        connection.execute(waiting.where(deliveries.c.subscriber_id == after.id).values(lane=new))


class Sealed(Protocol):
    """What of a subscriber's row, or of a parcel, is its secrets."""

    @property
    def sealed_secret(self) -> str | None: ...
    @property
    def sealed_private_key(self) -> str | None: ...
    @property
    def old_secrets(self) -> list[dict[str, Any]]: ...


def live_secrets(row: Sealed | Row[Any], keys: SecretKeys, now: int) -> list[str]:
    """The secrets that sign at `now`: the present ones, then those in their grace period. `whsk_…` are for ed25519."""
    sealed = [row.sealed_secret, row.sealed_private_key]
    sealed += [one["sealed"] for one in row.old_secrets if one["until"] > now]
    return [keys.decrypt(one) for one in sealed if one]


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
        "filter": row.filter,
        "payload": row.payload,
        "schedule": row.schedule and [durations.render(delay) for delay in row.schedule],
        "signature": "v1" if row.public_key is None else "v1a",
        "public_key": row.public_key,
        "created_at": rfc3339(row.created_at),
    }


def _one(connection: Connection, subscriber_id: str, *, held: bool = False) -> Row[Any]:
    query = select(subscribers).where(subscribers.c.id == subscriber_id, subscribers.c.deleted_at.is_(None))
    row = connection.execute(query.with_for_update() if held else query).one_or_none()
    if row is None:
        raise NotFound(f"there is no subscriber {subscriber_id}")
    return row
