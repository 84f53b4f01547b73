"""Sends what is owed: claims due deliveries, signs, POSTs, records the attempt, tries again on the schedule."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import structlog

from ledger import parcels
from ledger.clock import SECOND
from ledger.errors import Unavailable
from ledger.lane import Circuit
from ledger.ledger import Ledger
from ledger.onward import Order, Recorded, settle
from ledger.parcels import Parcel
from ledger.room import Room
from ledger.settler import Settler
from ledger.settling import Settlement
from ledger.traces import HandOn, Tracer
from receiver import attempted
from receiver.courier import Carried, Courier
from receiver.observer import Observer, Unobserved
from receiver.schedule import Outcome, Verdict, asked_pause, decide

log = structlog.get_logger()

LEASE_MARGIN = 15 * SECOND
"""How much longer than the delivery timeout a lease lasts: time to record the attempt."""

LAST_TRY = 1 * SECOND
"""How long before its lease ends an attempt is tried to be recorded for the last time."""

MAX_IN_FLIGHT = 256
"""How many attempts one process makes at once."""

RESERVE = 64
"""How many of these are for subscribers to whom nothing is being sent, one each: others are served, whoever hangs."""

AT_ONCE = 64
"""How many are claimed, at most, in the transaction that made them due; and what of the room must be free for that."""

_STATUS = {Verdict.DELIVERED: "delivered", Verdict.RETRY: "pending", Verdict.DEAD: "dead", Verdict.DISABLE: "dead"}

Wake = Callable[[int | None], None]
"""Calls the loop at a time, in milliseconds, unless it is called before; None: now."""

Spawn = Callable[[Coroutine[Any, Any, bool]], None]
"""Runs a coroutine beside the loop, and calls the loop again when it returns True; the runner waits for it before it
stops."""


class Forwarder:
    """One loop: claims due deliveries as long as there is room, and sends each beside the others.

    Not everything is claimed in a transaction of its own. While more waits, those that end together claim the next ones
    in the one that records them; and what a callback makes due is claimed in the one that stores the callback.

    `schedule` is the delay before each attempt and `timeout` bounds a whole one, in milliseconds; `circuit` says when a
    subscriber that keeps failing is left alone. `wake` calls the loop; when it is `stopping`, nothing is claimed.
    """

    def __init__(
        self,
        ledger: Ledger,
        courier: Courier,
        *,
        schedule: Sequence[int],
        timeout: int,
        circuit: Circuit,
        spawn: Spawn,
        wake: Wake = lambda due: None,
        stopping: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        observer: Observer | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._observer = observer or Unobserved()
        self._tracer = tracer or HandOn()
        self._ledger = ledger
        self._courier = courier
        self._schedule = schedule
        self._lease = timeout + LEASE_MARGIN
        self._spawn = spawn
        self._wake = wake
        self._stopping = stopping
        self._jitter = jitter
        self._settler = Settler(ledger, settle, given=self._given, apart=True, sleep=sleep, jitter=jitter)
        self._circuit = circuit
        self._room = Room(MAX_IN_FLIGHT, sleep=sleep)
        self._full = False
        self._crowded: frozenset[str] = frozenset()

    async def run_once(self, now: int) -> int | None:
        """Starts what is due, and returns when it wants to be called again."""
        holding = self._settler.holding
        if holding:
            log.warning("attempts_held", loop="forwarder", count=holding)
        room = self._room.look()
        # What cannot be recorded is likely to be sent twice: nothing new is begun while something waits for that.
        self._full = not room or holding > 0
        if self._full:
            return None  # an attempt that ends calls again
        claim = await self._ledger.write_apart(0, parcels.claim, limit=room, lease=self._lease, reserve=RESERVE)
        self._carry(claim)
        return claim.next_due

    def order(self) -> Order | None:
        """What is to be claimed in the transaction of somebody who may make it due: something where there is plenty of
        room. `begin` must be called after the commit, whatever this answers."""
        if self._full or self._settler.holding or self._stopping():
            return None
        if self._room.busy + AT_ONCE > MAX_IN_FLIGHT - RESERVE:
            return None
        return Order(AT_ONCE, self._lease)

    def begin(self, claim: parcels.Claim | None) -> None:
        """Sends what was claimed for `order`, and calls the loop where that is not all, or when more is due."""
        if claim is None:
            self._wake(None)
            return
        self._carry(claim)
        # Those that make room in a crowded lane may have ended already, and another claim may say what it saw earlier.
        if claim.full or claim.crowded:
            self._wake(None)
        elif claim.next_due is not None:
            self._wake(claim.next_due)

    def _carry(self, claim: parcels.Claim) -> None:
        self._more(claim)
        self._room.take(parcel.lane for parcel in claim.rows)
        for parcel in claim.rows:
            self._spawn(self._deliver(parcel))

    async def _deliver(self, parcel: Parcel) -> bool:
        """One attempt, and those that take its place. Whether to ask for more at the end is worth the asking."""
        while True:
            try:
                recorded = await self._attempt(parcel)
            except BaseException:
                self._room.leave(parcel.lane)
                raise
            if recorded.claim is None:
                self._room.leave(parcel.lane)
                return (self._full or parcel.lane in self._crowded) and await self._room.asks(parcel.lane)
            self._more(recorded.claim)
            self._room.leave(parcel.lane, replaced=True)
            if recorded.onward is None:
                return True
            parcel = recorded.onward
            self._room.take([parcel.lane])

    def _more(self, claim: parcels.Claim) -> None:
        """What a claim has seen of all that waits."""
        self._full = claim.full
        self._crowded = claim.crowded

    async def _attempt(self, parcel: Parcel) -> Recorded:
        with self._tracer.span("attempt", parcel.traceparent) as span:
            carried = await self._courier.carry(parcel, self._ledger.clock(), span.traceparent)
            settlement = self._settlement(parcel, carried)
            attempted.trace(span, parcel, settlement)
        self._observer.attempt(parcel, settlement)
        try:
            recorded = await self._settler.settle(settlement, parcel.due_at - LAST_TRY)
        except Unavailable as error:
            # The lease runs out and the delivery is due again: sent twice rather than never.
            log.warning("attempt_not_recorded", delivery_id=parcel.id, reason=str(error))
            return Recorded(settled=False)
        attempted.log(parcel, settlement, settled=recorded.settled)
        return recorded

    def _given(self, ended: int) -> tuple[Circuit, Order | None]:
        """What so many attempts that end together are recorded with. They may be replaced at once, where more waits and
        they are as many as are still under way. What this asks may be a moment old: SQLite's writer has a thread of its
        own."""
        busy = self._room.busy
        if not (self._full or self._crowded) or self._settler.holding or self._stopping() or 2 * ended < busy:
            return self._circuit, None
        limit = min(ended, MAX_IN_FLIGHT - RESERVE - (busy - ended))
        return self._circuit, Order(limit, self._lease) if limit > 0 else None

    def _settlement(self, parcel: Parcel, carried: Carried) -> Settlement:
        now = self._ledger.clock()
        outcome = Outcome(carried.attempt.status_code, carried.retry_after)
        tried = parcel.attempt_count + 1 - parcel.attempts_before
        decision = decide(outcome, tried, parcel.schedule or self._schedule, now, self._jitter())
        return Settlement(
            parcel.id,
            parcel.lease,
            carried.attempt,
            _STATUS[decision.verdict],
            due_at=decision.due_at,
            pause=asked_pause(outcome, now),
            disable="it answered 410 Gone" if decision.verdict is Verdict.DISABLE else None,
        )
