"""Artifacts: our own lasting copies of result images. `ledger.copies` hands them to the archiver and settles them."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, case, func, select, update

from ledger.errors import NotFound
from ledger.job import Job
from ledger.moment import Moment
from ledger.schema import artifacts as table


def owed(moment: Moment, job: Job) -> list[dict[str, Any]]:
    """The new rows of `artifacts` for a job that has succeeded: one for each result with a URL, due now."""
    return [
        {
            "id": moment.id("art"),
            "job_id": job.id,
            "position": position,
            "source_url": result["url"],
            "status": "pending",
            "attempt_count": 0,
            "due_at": moment.now,
            "lease": 0,
            "created_at": moment.now,
        }
        for position, result in enumerate(job.results or ())
        if result["url"] is not None
    ]


def stored(connection: Connection, artifact_id: str) -> Row[Any]:
    """An artifact that is kept. Raises `NotFound`."""
    row = connection.execute(select(table).where(table.c.id == artifact_id, table.c.status == "stored")).one_or_none()
    if row is None:
        raise NotFound(f"there is no artifact {artifact_id}")
    return row


def used(connection: Connection) -> int:
    """How many bytes all kept artifacts have together."""
    return int(connection.scalar(select(func.sum(table.c.size)).where(table.c.status == "stored")) or 0)


def discard(connection: Connection, moment: Moment, job_ids: Collection[str]) -> None:
    """Gives up the artifacts of jobs that are being erased: from now on nobody is served them, and the archiver
    deletes their files; those that are being copied when their lease is over, so that none is written afterwards."""
    free_at = case((table.c.status == "copying", table.c.due_at), else_=moment.now)
    given_up = {"status": "discarded", "due_at": free_at, "source_url": "", "last_error": None}
    connection.execute(update(table).where(table.c.job_id.in_(job_ids)).values(**given_up))
