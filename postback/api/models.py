"""What answers hold; the OpenAPI is drawn from these."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ledger.events import EVENTS


class Shape(BaseModel):
    """An answer's shape, for the OpenAPI."""

    model_config = ConfigDict(use_attribute_docstrings=True, defer_build=True)


class Fault(Shape):
    """An error in the provider's own words."""

    code: str
    message: str


class Artifact(Shape):
    """Our own lasting copy of a result image."""

    id: str
    url: str
    """Serves it without a key, for as long as its job is kept."""
    media_type: str
    """As its first bytes tell."""
    size: int
    """In bytes."""
    sha256: str
    """In hex."""


class Result(Shape):
    """One image, or the error in its place."""

    url: str | None
    error: Fault | None
    artifact: Artifact | None
    """Null until the image is copied, and if it could not be; the job's `warnings` then say why."""


class Metrics(Shape):
    """Images asked for, made and failed, as the provider says."""

    total: int | None
    succeeded: int | None
    failed: int | None


class Usage(Shape):
    """What the provider bills."""

    image_count: int | None


JobStatus = Literal[
    "queued", "submitting", "pending", "running", "unconfirmed", "succeeded", "failed", "canceled", "lost"
]
DeliveryStatus = Literal["pending", "delivering", "delivered", "dead", "skipped"]
ErrorClass = Literal["dns", "connect", "tls", "timeout", "guard", "status", "response"]
Verdict = Literal["accepted", "progress", "duplicate", "conflicting", "invalid"]
Event = Literal[EVENTS]  # type: ignore[valid-type]


class Job(Shape):
    """A job; what is not known yet is null."""

    id: str
    provider: str
    model: str
    status: JobStatus
    task_id: str | None
    input: dict[str, Any]
    parameters: dict[str, Any]
    metadata: dict[str, Any]
    results: list[Result] | None
    metrics: Metrics | None
    usage: Usage | None
    error: Fault | None
    warnings: list[str]
    created_at: str
    submitted_at: str | None
    finished_at: str | None
    resubmit_of: str | None


class NotifiedJob(Job):
    """A job as notifications carry it."""

    sequence: int
    """Counts the notifications of this job, from 1."""


class CallbackSummary(Shape):
    """A callback in a list."""

    id: str
    job_id: str
    task_id: str | None
    provider: str
    verdict: Verdict
    received_at: str


class Callback(CallbackSummary):
    """A callback as received."""

    headers: dict[str, str]
    body: str | None
    body_base64: str | None


class Notification(Shape):
    """A notification as it was sent out."""

    id: str
    job_id: str | None
    type: Event
    timestamp: str
    data: dict[str, Any]
    created_at: str


class Delivery(Shape):
    """A notification on its way to one subscriber."""

    id: str
    notification_id: str
    subscriber_id: str
    job_id: str | None
    type: Event
    status: DeliveryStatus
    attempt_count: int
    next_attempt_at: str | None
    last_error: str | None
    created_at: str
    finished_at: str | None


class Timing(Shape):
    """What the parts of an attempt took, in milliseconds; null where one did not happen."""

    dns: int | None
    connect: int | None
    tls: int | None
    response: int | None


class Attempt(Shape):
    """One HTTP try."""

    id: str
    number: int
    trigger: Literal["schedule", "manual", "recover"]
    started_at: str
    duration_ms: int
    status_code: int | None
    error_class: ErrorClass | None
    error: str | None
    response_excerpt: str | None
    """The first 16 KB of the answer; where more was cut off, its end says so."""
    request_headers: dict[str, str] | None
    """As they were sent, without secrets."""
    response_headers: dict[str, str] | None
    timing: Timing | None


class DeliveryWithAttempts(Delivery):
    """A delivery with its attempts."""

    attempts: list[Attempt]


class Diagnosis(Shape):
    """Why an attempt failed, and what to do about it."""

    error_class: ErrorClass
    status_code: int | None
    advice: str


class TriedDelivery(DeliveryWithAttempts):
    """A delivery that was sent to see whether it arrives."""

    diagnosis: Diagnosis | None
    """Null if it arrived."""


class TimelineEntry(Shape):
    """One thing that happened to a job."""

    model_config = ConfigDict(extra="allow")

    at: str
    type: str
    summary: str


class Timeline(Shape):
    """Everything that happened to a job, oldest first."""

    data: list[TimelineEntry]


class FieldError(Shape):
    """One bad field, by pointer into the body or by name of the query parameter."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(Shape):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None
