"""Settling attempts: what becomes of the delivery, of its lane, and of a subscriber that keeps failing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from ledger import bulk, deliveries, lanes, subscribers
from ledger.audit import SYSTEM
from ledger.clock import rfc3339
from ledger.deliveries import Attempt
from ledger.errors import NotFound
from ledger.lane import DISABLE_AFTER, Circuit, Lane, Report, Trouble
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.schema import attempts
from ledger.schema import deliveries as table
from ledger.schema import lanes as lane_table
from ledger.schema import subscribers as subscriber_table

_TRIED = ("id", "delivery_id", "number", "trigger", *Attempt._fields)
_CHANGED = ("id", "attempt_count", "lease", "trigger", "status", "due_at", "last_error", "finished_at")

_BUSY = (429, 503)
"""Answers that ask to be sent less (RFC 6585 §4, RFC 9110 §15.6.4)."""


class Settlement(NamedTuple):
    """How an attempt leaves its delivery: `delivered`, `dead`, or `pending` again with a `due_at`.

    `pause` is for how many milliseconds the subscriber asked to be left alone. `disable` says why it wants no more, if
    it does not. A `trial` that fails has no consequences for anything else.
    """

    delivery_id: str
    lease: int
    attempt: Attempt
    status: str
    due_at: int | None = None
    pause: int = 0
    disable: str | None = None
    trial: bool = False


class _Held(NamedTuple):
    """A delivery as far as its end depends on it; the fields are columns."""

    id: str
    notification_id: str
    subscriber_id: str
    job_id: str | None
    type: str
    status: str
    attempt_count: int
    trigger: str
    due_at: int | None
    lease: int
    last_error: str | None
    created_at: int
    finished_at: int | None
    lane: str


_WIDTH = len(_Held._fields)
_HOLD = bulk.ByIds(
    select(*(table.c[name] for name in _Held._fields), *lane_table.c)
    .outerjoin(lane_table, lane_table.c.key == table.c.lane)
    .where(table.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(table.c.id)
    .with_for_update(of=table)
)


def settle(
    connection: Connection, moment: Moment, settlements: Sequence[Settlement], circuit: Circuit | None = None
) -> list[bool]:
    """Records attempts. False, and nothing written, where the lease is no longer the settler's.

    An attempt that was under way when its subscriber was disabled is recorded too, and counts if it arrived.
    """
    held, seen = _hold(connection, [one.delivery_id for one in settlements])
    valid: list[tuple[Settlement, _Held]] = []
    answers: list[bool] = []
    for one in settlements:
        row = held.get(one.delivery_id)
        mine = row is not None and row.lease == one.lease and row.status in ("delivering", "skipped")
        answers.append(mine)
        if row is not None and mine:
            valid.append((one, row))
            del held[row.id]
    if valid:
        _record(connection, moment, valid)
        outbox = Outbox(connection, moment)
        _give_up(connection, moment, outbox, valid)
        _look_after(connection, moment, outbox, valid, seen, circuit or Circuit())
        outbox.write()
    return answers


def _hold(connection: Connection, ids: Sequence[str]) -> tuple[dict[str, _Held], dict[str, Lane]]:
    """Holds deliveries; and how their lanes are doing, which are not held."""
    held: dict[str, _Held] = {}
    seen: dict[str, Lane] = {}
    for row in _HOLD(connection, ids):
        one = held[row[0]] = _Held._make(row[:_WIDTH])
        if one.lane not in seen and row[_WIDTH] is not None:
            seen[one.lane] = Lane.of(row[_WIDTH:])
    return held, seen


def _record(connection: Connection, moment: Moment, valid: Sequence[tuple[Settlement, _Held]]) -> None:
    tries: list[tuple[Any, ...]] = []
    changes: list[tuple[Any, ...]] = []
    for one, row in valid:
        number = row.attempt_count + 1
        tries.append((moment.id("att"), row.id, number, row.trigger, *one.attempt))
        outcome = one.status, one.due_at, one.attempt.error, None if one.status == "pending" else moment.now
        if row.status == "skipped" and one.status != "delivered":
            outcome = "skipped", None, row.last_error, row.finished_at
        # A skipped delivery keeps its state, so the lease has to tell that this attempt was recorded.
        lease = row.lease + (row.status == "skipped")
        # Only the attempt that a person asked for is theirs; the rest of the fresh schedule runs by itself.
        changes.append((row.id, number, lease, "schedule", *outcome))
    bulk.add_tuples(connection, attempts, _TRIED, tries)
    bulk.change(connection, table, _CHANGED, changes)


def _give_up(connection: Connection, moment: Moment, outbox: Outbox, valid: Sequence[tuple[Settlement, _Held]]) -> None:
    """Tells operators of deliveries that are dead; not of tests and of what tells operators, which belong to no job."""
    for one, row in valid:
        if one.status == "dead" and row.status == "delivering" and row.job_id is not None:
            ended = {"status": "dead", "attempt_count": row.attempt_count + 1, "last_error": one.attempt.error}
            data = deliveries.document(row) | ended | {"finished_at": rfc3339(moment.now)}
            outbox.tell("delivery.dead", data, but=row.subscriber_id)


def _look_after(
    connection: Connection,
    moment: Moment,
    outbox: Outbox,
    valid: Sequence[tuple[Settlement, _Held]],
    seen: Mapping[str, Lane],
    circuit: Circuit,
) -> None:
    """Counts what arrived and what failed for each lane; warns of one that keeps failing, and at last disables it."""
    for one, row in valid:
        if one.disable is not None:
            _disable(connection, moment, row.subscriber_id, one.disable, row.created_at)
    # Nearly always all is well, and there is nothing to write.
    worth = {row.lane for one, row in valid if row.lane in seen and not (_good(one) and seen[row.lane].calm)}
    held = lanes.hold(connection, worth) if worth else {}
    before = dict(held)
    for one, row in valid:
        # That one URL is gone says nothing of others at its host.
        if row.lane in held and _tells(one, row):
            held[row.lane] = held[row.lane].after(_report(one), moment.now, circuit)
    for key, lane in held.items():
        if lane.failures:
            held[key] = _complain(connection, moment, outbox, lane)
    lanes.save(connection, [lane for key, lane in held.items() if lane != before[key]])


def _complain(connection: Connection, moment: Moment, outbox: Outbox, lane: Lane) -> Lane:
    trouble = lane.trouble(moment.now)
    query = select(subscriber_table).where(subscriber_table.c.id == lane.key, subscriber_table.c.enabled)
    row = None if trouble is Trouble.NONE else connection.execute(query).one_or_none()
    if row is None or lane.failing_since is None:
        return lane  # a lane of one-off URLs has no subscriber of its own: its deliveries end with their schedules
    since = rfc3339(lane.failing_since)
    if trouble is Trouble.DISABLE:
        _disable(connection, moment, row.id, f"every attempt has failed since {since}")
        return lane
    said = {"failing_since": since, "disabled_at": rfc3339(lane.failing_since + DISABLE_AFTER)}
    outbox.tell("subscriber.failing", subscribers.document(row) | said, but=row.id)
    return replace(lane, warned_at=moment.now)


def _tells(one: Settlement, row: _Held) -> bool:
    """Whether an attempt says how its lane is doing."""
    if one.trial and not _good(one):
        return False  # whoever tries something out must not stop what works
    return one.disable is None or row.lane == row.subscriber_id


def _good(one: Settlement) -> bool:
    return one.attempt.error_class is None


def _report(one: Settlement) -> Report:
    return Report(_good(one), one.attempt.started_at, one.attempt.status_code in _BUSY, one.pause)


def _disable(connection: Connection, moment: Moment, subscriber_id: str, why: str, unsent: int | None = None) -> None:
    try:
        if subscribers.get(connection, subscriber_id).enabled:
            changes = {"enabled": False, "disabled_reason": why}
            subscribers.change(connection, moment, subscriber_id, changes, by=SYSTEM, unsent=unsent)
    except NotFound:
        pass  # it was deleted meanwhile
