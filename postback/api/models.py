"""What requests and answers hold. Requests are checked against these; the OpenAPI is drawn from them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ledger.outbox import EVENTS


class Body(BaseModel):
    """A request's body: no field that is not known, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class Shape(BaseModel):
    """An answer's shape, for the OpenAPI."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class NewJob(Body):
    """One image-generation request."""

    model: str = Field(min_length=1, max_length=200, examples=["flux-schnell"])
    input: dict[str, Any] = Field(examples=[{"prompt": "an eagle over the sea"}])
    """`prompt`, and what else the model takes, e.g. `negative_prompt`, `init_image`, `image_url`, `action`."""
    parameters: dict[str, Any] | None = Field(default=None, examples=[{"size": "1024*1024", "n": 1}])
    """Passed on as they are: `size`, `n`, `seed`, `steps`, `count` …"""
    provider: str | None = None
    """`dashscope` or `acedata`; chosen by the model if it is left out."""
    metadata: dict[str, Any] | None = None
    """Yours: kept with the job and sent along with its notifications."""


class NewSubscriber(Body):
    """A webhook."""

    url: str = Field(min_length=1, max_length=2048, examples=["https://example.com/hook"])
    events: list[str] | None = Field(default=None, examples=[["job.succeeded", "job.failed"]])
    """Event types; `["*"]` for all. Left out: the outcomes of jobs."""
    description: str | None = Field(default=None, max_length=500)
    headers: dict[str, str] | None = None
    """Sent with every delivery; stored sealed and never shown again."""
    metadata: dict[str, Any] | None = None
    secret: str | None = None
    """`whsec_` and base64; made for you if it is left out."""
    max_in_flight: int | None = Field(default=None, ge=1, le=1000)
    """How many deliveries may be under way at once (10)."""
    rate_limit: float | None = Field(default=None, gt=0, le=100_000)
    """Deliveries a second at most."""


class SubscriberChanges(Body):
    """What to change; fields that are left out stay."""

    url: str | None = Field(default=None, min_length=1, max_length=2048)
    events: list[str] | None = None
    description: str | None = Field(default=None, max_length=500)
    headers: dict[str, str] | None = None
    metadata: dict[str, Any] | None = None
    enabled: bool | None = None
    max_in_flight: int | None = Field(default=None, ge=1, le=1000)
    rate_limit: float | None = Field(default=None, gt=0, le=100_000)


class Rotation(Body):
    """How to rotate a secret."""

    grace: str | None = Field(default=None, examples=["24h"])
    """How long the old secret signs beside the new one."""


class Window(Body):
    """Which deliveries to recover: those of notifications made in a window of time."""

    since: str = Field(examples=["2026-01-31T12:00:00Z"])
    until: str | None = None
    statuses: list[Literal["dead", "skipped", "delivered"]] | None = None
    """`["dead", "skipped"]` if it is left out."""


class Fault(Shape):
    """An error in the provider's own words."""

    code: str
    message: str


class Result(Shape):
    """One image, or the error in its place."""

    url: str | None
    error: Fault | None
    artifact: dict[str, Any] | None


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


class Subscriber(Shape):
    """A subscriber, without its secret."""

    id: str
    url: str
    events: list[str]
    description: str | None
    headers: list[str]
    """Names only."""
    metadata: dict[str, Any]
    enabled: bool
    disabled_reason: str | None
    max_in_flight: int
    rate_limit: float | None
    created_at: str


class SubscriberWithSecret(Subscriber):
    """A subscriber with its secret: on creation and rotation only."""

    secret: str


class Secret(Shape):
    """A subscriber's secret."""

    secret: str


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


class Attempt(Shape):
    """One HTTP try."""

    id: str
    number: int
    trigger: Literal["schedule", "manual", "recover"]
    started_at: str
    duration_ms: int
    status_code: int | None
    error_class: Literal["dns", "connect", "tls", "timeout", "guard", "status", "response"] | None
    error: str | None
    response_excerpt: str | None


class DeliveryWithAttempts(Delivery):
    """A delivery with its attempts."""

    attempts: list[Attempt]


class TimelineEntry(Shape):
    """One thing that happened to a job."""

    model_config = ConfigDict(extra="allow")

    at: str
    type: str
    summary: str


class Timeline(Shape):
    """Everything that happened to a job, oldest first."""

    data: list[TimelineEntry]


class Recovered(Shape):
    """How many deliveries were set going again."""

    recovered: int


class Health(Shape):
    """The process is up."""

    status: str


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
