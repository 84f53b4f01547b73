"""Sends what is owed: claims due deliveries, signs, POSTs, records the attempt, tries again on the schedule."""

import json
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from ledger import deliveries, parcels
from ledger.batch import Batch
from ledger.clock import SECOND
from ledger.deliveries import Attempt, Settlement
from ledger.errors import Unavailable
from ledger.keys import SecretKeys
from ledger.ledger import Ledger
from ledger.subscribers import live_secrets
from receiver import signing
from receiver.egress import Egress, EgressError, Response
from receiver.schedule import Outcome, Verdict, decide

log = structlog.get_logger()

LEASE_MARGIN = 15 * SECOND
"""How much longer than the delivery timeout a lease lasts: time to record the attempt."""

MAX_IN_FLIGHT = 64
_STATUS = {Verdict.DELIVERED: "delivered", Verdict.RETRY: "pending", Verdict.DEAD: "dead", Verdict.DISABLE: "dead"}

Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine beside the loop; the runner waits for it before it stops."""


class Forwarder:
    """One loop: claims due deliveries as long as there is room, and sends each beside the others.

    `schedule` is the delay before each attempt and `timeout` bounds a whole one, in milliseconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        keys: SecretKeys,
        egress: Egress,
        *,
        schedule: Sequence[int],
        timeout: int,
        spawn: Spawn,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._egress = egress
        self._schedule = schedule
        self._lease = timeout + LEASE_MARGIN
        self._spawn = spawn
        self._jitter = jitter
        self._settle = Batch(ledger, deliveries.settle)
        self._busy = 0

    async def run_once(self, now: int) -> int | None:
        """Starts what is due, and returns when it wants to be called again."""
        room = MAX_IN_FLIGHT - self._busy
        if room <= 0:
            return None  # an attempt that ends calls again
        claim = await self._ledger.write(parcels.claim, limit=room, lease=self._lease)
        self._busy += len(claim.rows)
        for parcel in claim.rows:
            self._spawn(self._deliver(parcel))
        return claim.next_due

    async def _deliver(self, parcel: Any) -> None:
        try:
            await self._attempt(parcel)
        finally:
            self._busy -= 1

    async def _attempt(self, parcel: Any) -> None:
        started_at = self._ledger.clock()
        answer = await self._post(parcel, started_at)
        settlement = self._settlement(parcel, answer, started_at)
        try:
            settled = await self._settle.add(settlement)
        except Unavailable as error:
            # The lease runs out and the delivery is due again: sent twice rather than never.
            log.warning("attempt_not_recorded", delivery_id=parcel.id, reason=str(error))
            return
        log.info(
            "attempt",
            delivery_id=parcel.id,
            job_id=parcel.job_id,
            subscriber_id=parcel.subscriber_id,
            event_type=parcel.type,
            number=parcel.attempt_count + 1,
            outcome=settlement.status,
            status_code=settlement.attempt.status_code,
            error_class=settlement.attempt.error_class,
            duration_ms=settlement.attempt.duration_ms,
            settled=settled,
        )

    async def _post(self, parcel: Any, now: int) -> Response | EgressError:
        try:
            headers = self._headers(parcel, now)
        except ValueError as error:  # also `BadKeys`; none of these quotes a secret
            return EgressError("guard", f"the delivery cannot be signed: {error}")
        try:
            return await self._egress.post(parcel.url, headers, parcel.body)
        except EgressError as error:
            return error

    def _headers(self, parcel: Any, now: int) -> dict[str, str]:
        """Ours, and of the custom ones those that do not stand in for ours, however they are written."""
        secrets = live_secrets(parcel, self._keys, now)
        ours = {
            "content-type": "application/json",
            "postback-attempt": str(parcel.attempt_count + 1),
            **signing.headers(secrets, parcel.notification_id, now // SECOND, parcel.body),
        }
        custom = json.loads(self._keys.decrypt(parcel.sealed_headers)) if parcel.sealed_headers else {}
        return {name: value for name, value in custom.items() if name.lower() not in ours} | ours

    def _settlement(self, parcel: Any, answer: Response | EgressError, started_at: int) -> Settlement:
        now = self._ledger.clock()
        outcome = Outcome(None)
        if isinstance(answer, Response):
            outcome = Outcome(answer.status, answer.headers.get("retry-after"))
        tried = parcel.attempt_count + 1 - parcel.attempts_before
        decision = decide(outcome, tried, self._schedule, now, self._jitter())
        return Settlement(
            parcel.id,
            parcel.lease,
            _attempt_of(answer, started_at, now),
            _STATUS[decision.verdict],
            due_at=decision.due_at,
            disable="it answered 410 Gone" if decision.verdict is Verdict.DISABLE else None,
        )


def _attempt_of(answer: Response | EgressError, started_at: int, now: int) -> Attempt:
    if isinstance(answer, EgressError):
        return Attempt(started_at, now - started_at, error_class=answer.error_class, error=answer.message)
    good = 200 <= answer.status <= 299
    excerpt = answer.excerpt.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return Attempt(
        started_at,
        answer.duration_ms,
        status_code=answer.status,
        error_class=None if good else "status",
        error=None if good else f"the subscriber answered HTTP {answer.status}",
        response_excerpt=excerpt + (" […cut]" if answer.truncated else ""),
    )
