"""Recoveries that this process runs, or ran lately, and how far they are.

They go on when whoever began them leaves. One that ends with its process has sent a part, and the same recovery begun
again sends the rest: nothing is owed twice.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from ledger import recovery, subscribers
from ledger.errors import LedgerError
from ledger.recovery import Window
from postback.api.recovery import again
from postback.house import House

log = structlog.get_logger()

REMEMBERED = 100


@dataclass(slots=True)
class Share:
    """What one subscriber gets: how many deliveries of it are due again, and why it stopped if it did."""

    subscriber_id: str
    done: int = 0
    over: bool = False
    stopped: str | None = None


@dataclass(slots=True)
class Run:
    """One recovery."""

    shares: Sequence[Share]
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def over(self) -> bool:
        """Whether all that is to be sent again is due."""
        return all(share.over for share in self.shares)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be sent again: to whom, which, and how many a second; None is as each subscriber likes."""

    subscriber_ids: Sequence[str]
    statuses: Sequence[str]
    window: Window
    rate: float | None = None


_runs: dict[str, Run] = {}


def begin(house: House, plan: Plan) -> str:
    """Starts a recovery; its id."""
    run = Run([Share(subscriber_id) for subscriber_id in plan.subscriber_ids])
    run_id = secrets.token_hex(8)
    over = [one for one, its in _runs.items() if its.over]
    for oldest in over[: max(0, len(_runs) + 1 - REMEMBERED)]:
        del _runs[oldest]
    _runs[run_id] = run
    run.task = asyncio.create_task(_go(house, plan, run))
    return run_id


def get(run_id: str) -> Run | None:
    """That recovery; None where it was another process's, or long ago."""
    return _runs.get(run_id)


async def _go(house: House, plan: Plan, run: Run) -> None:
    for share in run.shares:
        try:
            await _share(house, plan, share)
        except LedgerError as error:
            share.stopped = f"{str(error)[:1].upper()}{str(error)[1:]}."
        except Exception:
            log.exception("recovery_stopped", subscriber_id=share.subscriber_id)
            share.stopped = "Something went wrong on our side; the log says what."
        share.over = True


async def _share(house: House, plan: Plan, share: Share) -> None:
    def told(done: int) -> None:
        share.done = done

    row = await house.ledger.read(subscribers.get, share.subscriber_id)
    pace = recovery.pace_of(row, house.ledger.clock(), plan.rate)
    await again(house, share.subscriber_id, plan.window, plan.statuses, pace, told)
