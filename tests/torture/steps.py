"""SIGKILL at a named step: the process ends itself there, in the middle of its work."""

import os
import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from dispatcher.client import ProviderClient
from dispatcher.submitter import Submitter
from ledger import accept, copies, jobs, migration, parcels, recording, settling, submissions
from receiver import intake
from receiver.courier import Courier

STEPS = (
    "record",
    "recorded",
    "claim",
    "claimed",
    "submitting",
    "start",
    "send",
    "sent",
    "settle-submission",
    "settled-submission",
    "accept",
    "accepted",
    "claim-delivery",
    "claimed-delivery",
    "post",
    "posted",
    "settle-delivery",
    "settled-delivery",
    "archive",
    "archived",
    "migrate",
)
"""Where a process can be killed. A past tense is after the commit or the answer, the word itself before it."""


def apply(step: str) -> None:
    """`NAME:N`: this process ends the N-th time that it comes to that step; with `:stop` it is stopped, that once."""
    name, number, *how = step.split(":")
    left = [int(number)]

    def die() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGSTOP if how else signal.SIGKILL)

    _PLACES[name](die)


Die = Callable[[], None]


def _in_work(module: Any, name: str, *, committed: bool = False) -> Callable[[Die], None]:
    """In a query function, after its statements; or after the commit that they are part of."""

    def place(die: Die) -> None:
        work = getattr(module, name)

        def dying(connection: Any, *arguments: Any, **options: Any) -> Any:
            answer = work(connection, *arguments, **options)
            if not (
                getattr(answer, "rows", None) or getattr(answer, "jobs", None) or (isinstance(answer, list) and answer)
            ):
                return answer  # there was nothing to do
            if committed:
                connection.info["dies"] = True
            else:
                die()
            return answer

        dying.__name__ = work.__name__
        for user in (module, recording, intake, accept):
            if getattr(user, name, None) is work:
                setattr(user, name, dying)
        if committed:

            @event.listens_for(Engine, "commit")
            def committing(connection: Any) -> None:
                if connection.info.pop("dies", False):
                    connection.connection.commit()
                    die()

    return place


def _around(owner: Any, name: str, *, after: bool) -> Callable[[Die], None]:
    """Before or after an exchange with the world outside."""

    def place(die: Die) -> None:
        real = getattr(owner, name)

        async def dying(*arguments: Any, **options: Any) -> Any:
            if not after:
                die()
            answer = await real(*arguments, **options)
            if after:
                die()
            return answer

        setattr(owner, name, dying)

    return place


def _migrating(die: Die) -> None:
    upgrade = migration.upgrade

    def dying(connection: Any) -> None:
        upgrade(connection)
        die()

    migration.upgrade = dying


_PLACES: dict[str, Callable[[Die], None]] = {
    "record": _in_work(jobs, "create_all"),
    "recorded": _in_work(jobs, "create_all", committed=True),
    "claim": _in_work(submissions, "claim"),
    "claimed": _in_work(submissions, "claim", committed=True),
    "submitting": _around(Submitter, "_submit", after=False),
    "start": _in_work(submissions, "start"),
    "send": _around(ProviderClient, "submit", after=False),
    "sent": _around(ProviderClient, "submit", after=True),
    "settle-submission": _in_work(submissions, "settle"),
    "settled-submission": _in_work(submissions, "settle", committed=True),
    "accept": _in_work(accept, "accept"),
    "accepted": _in_work(accept, "accept", committed=True),
    "claim-delivery": _in_work(parcels, "claim"),
    "claimed-delivery": _in_work(parcels, "claim", committed=True),
    "post": _around(Courier, "carry", after=False),
    "posted": _around(Courier, "carry", after=True),
    "settle-delivery": _in_work(settling, "settle"),
    "settled-delivery": _in_work(settling, "settle", committed=True),
    "archive": _in_work(copies, "settle"),
    "archived": _in_work(copies, "settle", committed=True),
    "migrate": _migrating,
}
