"""What is told of an attempt that has ended: one wide line in the log, and what its span says."""

import structlog

from ledger.clock import rfc3339
from ledger.parcels import Parcel
from ledger.settling import Settlement
from ledger.traces import Span, trace_id

_log = structlog.get_logger()


def log(parcel: Parcel, settlement: Settlement, *, settled: bool) -> None:
    """The line of an attempt, with the ids of all that it belongs to; of the URL, headers and bodies nothing."""
    attempt, due_at = settlement.attempt, settlement.due_at
    _log.info(
        "attempt",
        delivery_id=parcel.id,
        notification_id=parcel.notification_id,
        job_id=parcel.job_id,
        subscriber_id=parcel.subscriber_id,
        event_type=parcel.type,
        number=parcel.attempt_count + 1,
        trigger=parcel.trigger,
        outcome=settlement.status,
        status_code=attempt.status_code,
        error_class=attempt.error_class,
        duration_ms=attempt.duration_ms,
        next_attempt_at=None if due_at is None else rfc3339(due_at),
        trace_id=trace_id(parcel.traceparent),
        settled=settled,
    )


def trace(span: Span, parcel: Parcel, settlement: Settlement) -> None:
    """The same for the trace."""
    attempt = settlement.attempt
    span.tell(
        delivery_id=parcel.id,
        notification_id=parcel.notification_id,
        job_id=parcel.job_id,
        subscriber_id=parcel.subscriber_id,
        number=parcel.attempt_count + 1,
        outcome=settlement.status,
        status_code=attempt.status_code,
    )
    if attempt.error_class is not None:
        span.fail(attempt.error_class)
