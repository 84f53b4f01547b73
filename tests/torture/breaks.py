"""Promises broken on purpose, to see that torture notices."""

import asyncio
import sys
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.util import await_

from dispatcher.client import ProviderClient
from ledger import apart, batch, jobs, pragmas, settling, submissions
from ledger.batch import Batch
from ledger.ledger import Ledger
from providers.protocol import Disposition, Refusal
from receiver import names

LATE_SECONDS = 1.0
"""How long after its acknowledgement a commit comes, where one is acknowledged before."""


def apply(name: str) -> None:
    """Breaks that promise in this process. Raises `KeyError` for a name that is not in `BREAKS`."""
    apart.WORTH = batch.WORTH = sys.maxsize  # another process would keep the promise
    BREAKS[name]()


def acknowledge_before_commit() -> None:
    """New jobs and callbacks are acknowledged at once and committed in a while."""
    properly = Ledger.write

    async def write(ledger: Ledger, work: Any, *arguments: Any, **options: Any) -> Any:
        of = getattr(work, "__self__", None)
        if (of._work if isinstance(of, Batch) else work).__name__ not in ("record", "store"):
            return await properly(ledger, work, *arguments, **options)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def noted(connection: Connection) -> None:
            result = work(connection, ledger._moment(), *arguments, **options)
            if not answer.done():
                answer.set_result(result)
            await_(asyncio.sleep(LATE_SECONDS))

        def ended(task: "asyncio.Task[None]") -> None:
            if (error := task.exception()) is not None and not answer.done():
                answer.set_exception(error)

        writing = asyncio.create_task(ledger.database.write(noted))
        writing.add_done_callback(ended)
        return await answer

    Ledger.write = write  # type: ignore[method-assign]


def synchronous_off() -> None:
    """SQLite does not wait for the disk at all."""
    _synchronous("OFF")


def synchronous_normal() -> None:
    """SQLite waits for the disk at checkpoints only."""
    _synchronous("NORMAL")


def fence_removed() -> None:
    """An attempt is recorded whoever holds the delivery by now."""
    record, settle = settling._record, settling.settle

    def unfenced(connection: Connection, moment: Any, settlements: Any, circuit: Any = None) -> list[bool]:
        answers = settle(connection, moment, settlements, circuit)
        late = [one for one, mine in zip(settlements, answers, strict=True) if not mine]
        table = settling.table
        rows = {
            one.delivery_id: connection.execute(table.select().where(table.c.id == one.delivery_id)).one()
            for one in late
        }
        if late:
            record(connection, moment, [(one, rows[one.delivery_id]) for one in late])
        return answers

    settling.settle = unfenced


def lease_not_checked() -> None:
    """A submitter sends what it once claimed, whatever has become of the job."""

    def start(connection: Connection, moment: Any, claims: Any) -> list[bool]:
        held = jobs.lock(connection, (job_id for job_id, _ in claims))
        jobs.save(connection, [job._replace(sending=True) for job in held.values() if job.status == "submitting"])
        return [True] * len(claims)

    submissions.start = start


def guard_off() -> None:
    """Every address may be dialled."""
    names.refuse_address = lambda ip, allowed: None  # type: ignore[attr-defined]


def submit_retried_on_timeout() -> None:
    """A submission without an answer is sent again."""
    submit = ProviderClient.submit

    async def again(client: ProviderClient, *arguments: Any) -> Any:
        said, body = await submit(client, *arguments)
        if isinstance(said, Refusal) and said.disposition is Disposition.AMBIGUOUS:
            said = replace(said, disposition=Disposition.RETRY)
        return said, body

    ProviderClient.submit = again  # type: ignore[method-assign]


BREAKS = {
    "acknowledge-before-commit": acknowledge_before_commit,
    "synchronous-off": synchronous_off,
    "synchronous-normal": synchronous_normal,
    "fence-removed": fence_removed,
    "lease-not-checked": lease_not_checked,
    "guard-off": guard_off,
    "submit-retried-on-timeout": submit_retried_on_timeout,
}

NOTICED = {
    "acknowledge-before-commit": r"acknowledged and gone",
    "synchronous-off": r"power cuts lost something",
    "synchronous-normal": r"power cuts lost something",
    "fence-removed": r"settled again after it arrived",
    "lease-not-checked": r"paid twice",
    "guard-off": r"went inside",
    "submit-retried-on-timeout": r"paid twice",
}
"""What the rule says that is meant to notice a break. Whatever else goes wrong notices nothing."""


def _synchronous(mode: str) -> None:
    full, weak = "PRAGMA synchronous = FULL", f"PRAGMA synchronous = {mode}"
    assert full in pragmas.WRITING
    pragmas.WRITING = tuple(weak if pragma == full else pragma for pragma in pragmas.WRITING)
