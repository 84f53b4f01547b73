"""What a callback means for its job. Pure: a job and a reading in, a ruling out.

The first final outcome wins. A second with the same outcome is a duplicate, any other is conflicting; neither changes
the job. A late success for a lost or unconfirmed job is accepted: truth beats our guess.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from ledger.job import Job
from ledger.lifecycle import JOB, may

FINAL = ("succeeded", "failed", "canceled")
KEPT_COPIES = 10
"""How many raw callbacks of each verdict but `accepted` are kept for a job; the rest are only counted."""


class Fault(Protocol):
    """A provider's error."""

    @property
    def code(self) -> str: ...
    @property
    def message(self) -> str: ...


class Result(Protocol):
    """One image: its URL, or the error in its place."""

    @property
    def url(self) -> str | None: ...
    @property
    def error(self) -> Fault | None: ...


class Metrics(Protocol):
    """How many images were asked for, made and failed."""

    @property
    def total(self) -> int | None: ...
    @property
    def succeeded(self) -> int | None: ...
    @property
    def failed(self) -> int | None: ...


class Reading(Protocol):
    """What a provider said about a job, in our words. `providers.protocol.Reading` has this shape."""

    @property
    def status(self) -> str: ...
    @property
    def task_id(self) -> str | None: ...
    @property
    def provider_status(self) -> str | None: ...
    @property
    def results(self) -> Sequence[Result]: ...
    @property
    def metrics(self) -> Metrics | None: ...
    @property
    def image_count(self) -> int | None: ...
    @property
    def error(self) -> Fault | None: ...
    @property
    def warnings(self) -> Sequence[str]: ...


class Ruling(NamedTuple):
    """The verdict, the job as it is afterwards, and the states it passed through, each of which may notify."""

    verdict: str
    job: Job
    passed: tuple[str, ...] = ()


def rule(job: Job, reading: Reading | None, now: int) -> Ruling:
    """Judges one callback. `reading` is None when its body could not be read."""
    if reading is None or _names_another(job, reading):
        return _counted(job, "invalid")
    if reading.status not in FINAL:
        return _progress(job, reading, now)
    if job.final:
        return _counted(job, "duplicate" if _tells_the_same(job, reading) else "conflicting")
    status = str(reading.status)
    if status == "canceled" and not may(JOB, job.status, status):
        status = "failed"  # nothing of ours was pending that could have been canceled, and no image will come
    return Ruling("accepted", finished(job, reading, status, now), (status,))


def finished(job: Job, reading: Reading, status: str, now: int) -> Job:
    """The job with the outcome that a reading tells."""
    return job.moved(
        status,
        now,
        task_id=job.task_id or reading.task_id,
        provider_status=reading.provider_status or job.provider_status,
        submitted_at=job.submitted_at or now,
        results=[
            {"url": result.url, "error": None if result.error is None else _fault(result.error), "artifact": None}
            for result in reading.results
        ],
        metrics=_metrics(reading.metrics),
        usage=None if reading.image_count is None else {"image_count": reading.image_count},
        error=_error(reading, status),
    ).warned(*reading.warnings)


def progressed(job: Job, reading: Reading, now: int) -> tuple[Job, tuple[str, ...]]:
    """The job moved as far as an unfinished reading says, and the states it passed through."""
    passed: list[str] = []
    for step in ("pending", "running")[: 2 if reading.status == "running" else 1]:
        if reading.status != "unknown" and may(JOB, job.status, step):
            job = job.moved(step, now, **(_adopted(job, now) if step == "pending" else {}))
            passed.append(step)
    if not job.final:
        job = job.but(
            task_id=job.task_id or reading.task_id,
            provider_status=reading.provider_status or job.provider_status,
            metrics=_metrics(reading.metrics) or job.metrics,
        )
    return job, tuple(passed)


def _progress(job: Job, reading: Reading, now: int) -> Ruling:
    moved, passed = progressed(job, reading, now)
    return Ruling("progress", _counted(moved, "progress").job, passed)


def _counted(job: Job, verdict: str) -> Ruling:
    counts = {**job.callback_counts, verdict: job.callback_counts.get(verdict, 0) + 1}
    return Ruling(verdict, job.but(callback_counts=counts))


def _names_another(job: Job, reading: Reading) -> bool:
    return bool(reading.task_id and job.task_id and reading.task_id != job.task_id)


def _adopted(job: Job, now: int) -> dict[str, Any]:
    """What changes when it turns out that the provider has the job: it is asked about again."""
    return {"submitted_at": job.submitted_at or now, "due_at": now if job.due_at is None else job.due_at, "error": None}


def _tells_the_same(job: Job, reading: Reading) -> bool:
    status = str(reading.status)
    # A cancellation that could not be one was recorded as a failure.
    told = [_outcome(reading, status), *([_outcome(reading, "failed")] if status == "canceled" else [])]
    code = job.error["code"] if job.error else None
    return (job.status, code, [_path(result["url"]) for result in job.results or ()]) in told


def _outcome(reading: Reading, status: str) -> tuple[Any, ...]:
    error = _error(reading, status)
    return status, error["code"] if error else None, [_path(result.url) for result in reading.results]


def _error(reading: Reading, status: str) -> dict[str, str] | None:
    """A job's error after that reading. A failure always has one."""
    if reading.error is not None:
        return _fault(reading.error)
    if status != "failed":
        return None
    if reading.status == "canceled":
        return {"code": "Canceled", "message": "The provider canceled the job."}
    return {"code": "Failed", "message": "The provider gave no reason."}


def _path(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def _fault(fault: Fault) -> dict[str, str]:
    return {"code": fault.code, "message": fault.message}


def _metrics(metrics: Metrics | None) -> dict[str, Any] | None:
    if metrics is None:
        return None
    return {"total": metrics.total, "succeeded": metrics.succeeded, "failed": metrics.failed}
