"""Waiting for a job to end, by asking the API."""

from collections.abc import Callable
from typing import Any, Protocol

from postback.cli.errors import CommandFailed, ExitCode

FINAL = ("succeeded", "failed", "canceled", "lost")

UNCONFIRMED_FOR = 120.0
"""Seconds that an unconfirmed job is waited for: what the provider's list or a callback tells, it tells by then."""

_FIRST_DELAY, _GROWTH, _LONGEST_DELAY = 0.3, 1.4, 3.0
_PATIENCE = 10


class Api(Protocol):
    """The part of the client that waiting needs."""

    def get(self, *path: str) -> dict[str, Any]: ...


def wait_for(
    api: Api,
    job_id: str,
    timeout: float | None,
    report: Callable[[str, float], None],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> dict[str, Any]:
    """The job once it has ended. All times are seconds; `report` gets its status and the time since the start.

    Raises `CommandFailed`: `TIMED_OUT` after `timeout`, or when the server stays away for ten questions in a row.
    """
    start, delay, misses, status = clock(), _FIRST_DELAY, 0, "submitted"
    unconfirmed_since: float | None = None
    while True:
        try:
            job = api.get("jobs", job_id)
            misses, status = 0, job["status"]
            if status in FINAL:
                return job
            unconfirmed_since = (unconfirmed_since or clock()) if status == "unconfirmed" else None
            if unconfirmed_since is not None and clock() - unconfirmed_since >= UNCONFIRMED_FOR:
                raise CommandFailed(
                    f"{job_id} is unconfirmed: nobody can tell whether the provider took it, so it is not sent again "
                    f"by itself. A callback may still come; to pay for a second try: postback jobs resubmit {job_id}"
                )
        except CommandFailed as failure:
            misses += 1
            if failure.exit_code != ExitCode.UNREACHABLE or misses == _PATIENCE:
                raise
        elapsed = clock() - start
        if timeout is not None and elapsed >= timeout:
            raise CommandFailed(
                f"{job_id} is still {status} after {elapsed:.0f} s and goes on. "
                f"Look again with: postback jobs show {job_id}",
                ExitCode.TIMED_OUT,
            )
        report(status if not misses else "server away", elapsed)
        sleep(delay if timeout is None else min(delay, timeout - elapsed))
        delay = min(delay * _GROWTH, _LONGEST_DELAY)
