"""Ways to break Postback on purpose, so that it is seen that the simulation can fail. Nothing here reaches the product.

Each puts something else in the place of one of its functions for as long as the context lasts.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dispatcher.submitter import Submitter
from ledger import lane, polls, settling, submissions, verdict
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.schema import deliveries, jobs
from ledger.settling import Settlement
from providers.protocol import Disposition, Refusal
from receiver import forwarder, intake


@contextmanager
def fence_removed() -> Iterator[None]:
    """Whoever settles is believed to hold the lease."""

    def unfenced(settle: Any) -> Any:
        def work(connection: Connection, moment: Moment, settlements: Sequence[Any]) -> Any:
            ids = [one.job_id for one in settlements]
            leases = {row.id: row.lease for row in connection.execute(select(jobs).where(jobs.c.id.in_(ids)))}
            pretended = [replace(one, lease=leases.get(one.job_id, one.lease)) for one in settlements]
            return settle(connection, moment, pretended)

        work.__module__, work.__name__ = settle.__module__, settle.__name__
        return work

    settle, record = settling.settle, settling._record

    def recorded(connection: Connection, moment: Moment, settlements: Sequence[Settlement], *more: Any) -> Any:
        answers = settle(connection, moment, settlements, *more)
        late = [one for one, mine in zip(settlements, answers, strict=True) if not mine]
        found = connection.execute(select(deliveries).where(deliveries.c.id.in_([one.delivery_id for one in late])))
        rows = {row.id: row for row in found}
        if late:
            record(connection, moment, [(one, rows[one.delivery_id]) for one in late])
        return answers

    with (
        patch.object(settling, "settle", recorded),
        patch.object(submissions, "settle", unfenced(submissions.settle)),
        patch.object(polls, "settle", unfenced(polls.settle)),
    ):
        yield


@contextmanager
def submit_retried_on_timeout() -> Iterator[None]:
    """A submission without an answer is taken for one that did not arrive."""
    real = Submitter._settlement

    def settlement(self: Submitter, job: Any, said: Any, *, called_back: bool) -> Any:
        if isinstance(said, Refusal) and said.status == 0:
            said = replace(said, disposition=Disposition.RETRY)
        return real(self, job, said, called_back=called_back)

    with patch.object(Submitter, "_settlement", settlement):
        yield


@contextmanager
def acknowledge_before_commit() -> Iterator[None]:
    """Callbacks are answered at once and stored afterwards."""
    real = intake.Intake.receive

    async def receive(self: intake.Intake, request: Request) -> Response:
        later.append(asyncio.create_task(real(self, request)))
        return JSONResponse({"verdict": "accepted"})

    later: list[asyncio.Task[Response]] = []
    with patch.object(intake.Intake, "receive", receive):
        yield
    for task in later:
        if task.done() and not task.cancelled():
            task.exception()


@contextmanager
def lease_not_checked() -> Iterator[None]:
    """Whoever claimed a job sends it, however long ago that was."""
    real = submissions.start

    def start(connection: Connection, moment: Moment, claims: Sequence[tuple[str, int]]) -> list[bool]:
        real(connection, moment, claims)
        return [True] * len(claims)

    with patch.object(submissions, "start", start):
        yield


@contextmanager
def send_again_after_lease() -> Iterator[None]:
    """A job whose lease ran out is queued again, also where it may have been sent."""
    real = submissions.unconfirmed

    def unconfirmed(job: Any, now: int, **changes: Any) -> Any:
        if changes:
            return real(job, now, **changes)
        return job.moved("queued", now, due_at=now)

    def announce(self: Outbox, job: Any, state: str) -> Any:
        return job if job.status == "queued" else tell(self, job, state)

    tell = Outbox.announce
    with patch.object(submissions, "unconfirmed", unconfirmed), patch.object(Outbox, "announce", announce):
        yield


@contextmanager
def last_outcome_wins() -> Iterator[None]:
    """A second final callback changes the job."""
    real = verdict.rule

    def rule(job: Any, reading: Any, now: int) -> Any:
        ruling = real(job, reading, now)
        if ruling.verdict == "conflicting":
            return ruling._replace(job=ruling.job._replace(status=str(reading.status), finished_at=now))
        return ruling

    with patch("ledger.accept.rule", rule):
        yield


@contextmanager
def forget_deliveries() -> Iterator[None]:
    """A settled submission notifies nobody: the first step of any outbox that is written later than its job."""
    real = Outbox.write

    def write(self: Outbox) -> None:
        self._deliveries = [one for one in self._deliveries if one["type"] != "job.unconfirmed"]
        real(self)

    with patch.object(Outbox, "write", write):
        yield


@contextmanager
def crowd_subscribers() -> Iterator[None]:
    """A lane always has room."""
    with patch.object(lane.Lane, "room", lambda self, allowed, busy: 100):
        yield


@contextmanager
def retry_at_once() -> Iterator[None]:
    """A failed attempt is due again without a pause, and for ever."""
    real = forwarder.Forwarder._settlement

    def settlement(self: forwarder.Forwarder, parcel: Any, carried: Any) -> Settlement:
        settled = real(self, parcel, carried)
        again = settled.status in ("pending", "dead") and settled.disable is None
        return settled._replace(status="pending", due_at=self._ledger.clock()) if again else settled

    with patch.object(forwarder.Forwarder, "_settlement", settlement):
        yield


@contextmanager
def forget_unfinished() -> Iterator[None]:
    """Nobody asks about jobs that have begun."""
    with ExitStack() as stack:
        for name in ("_DUE", "_DUE_AND_WOKEN", "_OVERDUE"):
            unbegun = getattr(polls, name).where(jobs.c.status == "pending")
            stack.enter_context(patch.object(polls, name, unbegun))
        yield


BREAKS: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    "fence-removed": fence_removed,
    "submit-retried-on-timeout": submit_retried_on_timeout,
    "acknowledge-before-commit": acknowledge_before_commit,
    "lease-not-checked": lease_not_checked,
    "send-again-after-lease": send_again_after_lease,
    "last-outcome-wins": last_outcome_wins,
    "forget-deliveries": forget_deliveries,
    "crowd-subscribers": crowd_subscribers,
    "retry-at-once": retry_at_once,
    "forget-unfinished": forget_unfinished,
}


def broken(name: str | None) -> AbstractContextManager[None]:
    """The product broken in that way, or whole."""
    return nullcontext() if name is None else BREAKS[name]()
