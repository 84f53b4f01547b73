"""A loop that waits within a pass, run beside the others so that it holds nobody up."""

from ledger.clock import SECOND

from .virtual import Crew, RunOnce, Time


def beside(crew: Crew, time: Time, run_once: RunOnce) -> RunOnce:
    """The loop as one that only starts passes, one at a time, and is called again after a second if nothing is due."""
    busy, next_at = False, 0

    async def one_pass() -> None:
        nonlocal busy, next_at
        due = await run_once(time.now)
        busy, next_at = False, time.now + SECOND if due is None else due

    async def start(now: int) -> int | None:
        nonlocal busy
        if busy:
            return None
        if now < next_at:
            return next_at
        busy = True
        crew.spawn(one_pass())
        return None

    return start
