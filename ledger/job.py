"""A job as the ledger keeps it, and how it reads on the wire."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any, NamedTuple, Self

from sqlalchemy import Row

from ledger.clock import rfc3339
from ledger.lifecycle import JOB, may
from ledger.schema import jobs

Link = Callable[[str], str]
"""An artifact's id to the URL where anybody who has it is served the image."""

MAX_WARNINGS = 20
_UNWATCHED = ("lost", "unconfirmed")


class Job(NamedTuple):
    """One row of `jobs`; the fields are its columns. A tuple, because each callback makes four of them."""

    id: str
    provider: str
    model: str
    status: str
    input: dict[str, Any]
    parameters: dict[str, Any]
    metadata: dict[str, Any]
    created_at: int
    task_id: str | None = None
    results: list[dict[str, Any]] | None = None
    metrics: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    warnings: list[str] = []  # noqa: RUF012 - nothing of a job is changed in place
    resubmit_of: str | None = None
    submitted_at: int | None = None
    finished_at: int | None = None
    due_at: int | None = None
    lease: int = 0
    sent_at: int | None = None
    sending: bool = False
    deadline_at: int | None = None
    tries: int = 0
    polls: int = 0
    woken: bool = False
    provider_status: str | None = None
    sequence: int = 0
    callback_counts: dict[str, int] = {}  # noqa: RUF012
    idempotency_key: str | None = None
    idempotency_digest: str | None = None
    subscribers: list[str] | None = None
    notify_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The job of a whole row of `select(jobs)`."""
        return cls._make(_in_order(row))

    def but(self, **changes: Any) -> Self:
        """The job with other values; what `_replace` does, in a third of the time."""
        values = list(self)
        for name, value in changes.items():
            values[_PLACE[name]] = value
        return type(self)._make(values)

    @property
    def final(self) -> bool:
        return JOB[self.status].final

    def moved(self, to: str, now: int, **changes: Any) -> Self:
        """The job in its next state. Raises ValueError where the lifecycle does not allow it."""
        if not may(JOB, self.status, to):
            raise ValueError(f"a job cannot go from {self.status} to {to}")
        if JOB[to].final or to in _UNWATCHED:
            changes = {"due_at": None, "finished_at": now if JOB[to].final or to == "lost" else None, **changes}
        return self.but(status=to, **changes)

    def warned(self, *warnings: str) -> Self:
        """The job with further warnings, none twice, and only so many: providers can be inventive."""
        if not warnings:
            return self
        return self.but(warnings=list(dict.fromkeys([*self.warnings, *warnings]))[:MAX_WARNINGS])

    def document(self, link: Link | None = None) -> dict[str, Any]:
        """The job on the wire: what the API answers and notifications carry. Never its callback URL.

        Artifacts have the URL that `link` gives, and without it none: only a succeeded job can have artifacts.
        """
        return {
            "id": self.id,
            "provider": self.provider,
            "model": self.model,
            "status": self.status,
            "task_id": self.task_id,
            "input": self.input,
            "parameters": self.parameters,
            "metadata": self.metadata,
            "results": self.results and [_result(result, link) for result in self.results],
            "metrics": self.metrics,
            "usage": self.usage,
            "error": self.error,
            "warnings": self.warnings,
            "created_at": rfc3339(self.created_at),
            "submitted_at": _time(self.submitted_at),
            "finished_at": _time(self.finished_at),
            "resubmit_of": self.resubmit_of,
        }


_PLACE = {name: place for place, name in enumerate(Job._fields)}
_in_order = itemgetter(*(jobs.columns.keys().index(name) for name in Job._fields))


def _result(result: dict[str, Any], link: Link | None) -> dict[str, Any]:
    artifact = result["artifact"]
    if artifact is None:
        return result
    url = None if link is None else link(artifact["id"])
    return {**result, "artifact": {"id": artifact["id"], "url": url, **artifact}}


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rfc3339(milliseconds)
