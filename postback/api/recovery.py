"""`POST /v1/subscribers/{id}/recover`: what a subscriber did not get in a window of time is sent again."""

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import recovery, subscribers
from ledger.clock import rfc3339
from ledger.recovery import RECOVERABLE, Pace, Window
from postback.api import requests
from postback.api.subscriber_bodies import Recovery
from postback.house import House


async def recover(house: House, request: Request) -> Response:
    """Sends a window again, evenly paced, or counts what would be sent."""
    asked = await requests.read(request, Recovery, house.settings.max_body)
    subscriber_id, window, statuses = request.path_params["id"], _window(asked), asked.statuses or RECOVERABLE
    last_due = None
    if asked.dry_run:
        recovered = await house.ledger.read(recovery.count_again, subscriber_id, window, statuses)
        replayed = await _count_missing(house, subscriber_id, window) if asked.replay_missing else 0
    else:
        row = await house.ledger.read(subscribers.get, subscriber_id)
        pace = recovery.pace_of(row, house.ledger.clock(), asked.rate)
        recovered = await again(house, subscriber_id, window, statuses, pace)
        replayed = await _missing(house, subscriber_id, window, pace, recovered) if asked.replay_missing else 0
        last_due = rfc3339(pace.due(recovered + replayed - 1)) if recovered + replayed else None
    counts = {"recovered": recovered, "replayed": replayed}
    return JSONResponse({**counts, "last_due_at": last_due, "dry_run": bool(asked.dry_run)}, 202)


def _window(asked: Recovery) -> Window:
    since = requests.milliseconds(asked.since, lambda why: requests.invalid(("/since", why)))
    if asked.until is None:
        return Window(since)
    until = requests.milliseconds(asked.until, lambda why: requests.invalid(("/until", why)))
    if until < since:
        raise requests.invalid(("/until", "must not be before since"))
    return Window(since, until)


async def again(
    house: House,
    subscriber_id: str,
    window: Window,
    statuses: Sequence[str],
    pace: Pace,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Sends what is finished again; how many, which `progress` is told after each part. Raises `LedgerError`."""
    done, after = 0, None
    while True:
        part = await house.ledger.write(recovery.again, subscriber_id, window, statuses, pace, done, after)
        done, after = done + part.count, part.after
        progress(done)
        house.wake("forwarder")
        if after is None:
            return done


async def _missing(house: House, subscriber_id: str, window: Window, pace: Pace, before: int) -> int:
    """Goes on with the pace of the `before` that were set going already."""
    done, after = 0, None
    while True:
        part = await house.ledger.write(recovery.never_sent, subscriber_id, window, pace, before + done, after)
        done, after = done + part.count, part.after
        house.wake("forwarder")
        if after is None:
            return done


async def _count_missing(house: House, subscriber_id: str, window: Window) -> int:
    count, after = 0, None
    while True:
        part = await house.ledger.read(recovery.count_never_sent, subscriber_id, window, after)
        count, after = count + part.count, part.after
        if after is None:
            return count
