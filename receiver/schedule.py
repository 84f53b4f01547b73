"""When a delivery is tried again, and when it is given up. Pure: time and randomness are arguments, in milliseconds.

A schedule is the delay before each attempt, so its length is the number of attempts. The first delay runs from the
notification, every other from the end of the attempt before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum

MAX_RETRY_AFTER_MS = 24 * 60 * 60 * 1000
JITTER = 0.1
"""Every delay but the first is spread over ±10 %, so that deliveries that failed together do not return together."""

_GONE = 410


class Verdict(StrEnum):
    """What becomes of a delivery after an attempt. `DISABLE`: it is dead, and its subscriber is to be disabled."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `status` is None when no HTTP answer came; `retry_after` is that header, as received."""

    status: int | None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`due_at`, in epoch milliseconds, is set for `RETRY` only."""

    verdict: Verdict
    due_at: int | None = None


def first_due(created_at: int, schedule_ms: Sequence[int]) -> int:
    """When attempt 1 is due, without jitter. `created_at` and the answer are epoch milliseconds."""
    return created_at + schedule_ms[0]


def decide(
    outcome: Outcome, attempt_in_schedule: int, schedule_ms: Sequence[int], now_ms: int, jitter: float
) -> Decision:
    """What follows from an attempt that has just ended.

    `attempt_in_schedule` counts from 1 and starts again with a redelivery, unlike the attempt's number. `jitter` is in
    [0, 1): 0 is the shortest delay, just under 1 the longest. A Retry-After delays, never hastens, by at most 24 hours,
    and never adds an attempt.
    """
    if outcome.status is not None and 200 <= outcome.status <= 299:
        return Decision(Verdict.DELIVERED)
    if outcome.status == _GONE:
        return Decision(Verdict.DISABLE)
    if attempt_in_schedule >= len(schedule_ms):
        return Decision(Verdict.DEAD)
    delay = round(schedule_ms[attempt_in_schedule] * (1 - JITTER + 2 * JITTER * jitter))
    asked = parse_retry_after(outcome.retry_after, now_ms) if outcome.retry_after else None
    return Decision(Verdict.RETRY, now_ms + max(delay, asked or 0))


def asked_pause(outcome: Outcome, now_ms: int) -> int:
    """For how many milliseconds a subscriber as a whole asks to be left alone, which only 429 and 503 can say."""
    if outcome.status not in (429, 503) or not outcome.retry_after:
        return 0
    return parse_retry_after(outcome.retry_after, now_ms) or 0


def parse_retry_after(text: str, now_ms: int) -> int | None:
    """How long a Retry-After header asks to wait: 0 to 24 hours in milliseconds, or None if it makes no sense.

    Whole seconds or an HTTP-date in any of its three forms (RFC 9110 §10.2.3); a date in the past is 0. Never raises.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        # A number too long to convert is as good as the longest wait.
        wait = int(text) * 1000 if len(text) <= 15 else MAX_RETRY_AFTER_MS
    else:
        try:
            date = parsedate_to_datetime(text)
            # The asctime form names no zone; HTTP-dates are always UTC.
            wait = round((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000) - now_ms
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(wait, 0), MAX_RETRY_AFTER_MS)
