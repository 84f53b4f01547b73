"""What requests hold. They are checked against these; the OpenAPI is drawn from them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NO_NUL = "^[^\\x00]*$"
"""PostgreSQL cannot keep a NUL character in a text."""

MAX_KEY = 255
"""How long an idempotency key may be, in printable ASCII characters."""

MAX_BATCH = 1_000
"""How many jobs one batch may hold."""


class Body(BaseModel):
    """A request's body: no field that is not known, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


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


class BatchedJob(NewJob):
    """One request of a batch."""

    idempotency_key: str | None = Field(default=None, min_length=1, max_length=MAX_KEY, pattern="^[ -~]+$")
    """As the `Idempotency-Key` header of a single one."""


class NewBatch(Body):
    """Image-generation requests, recorded all or none."""

    jobs: list[BatchedJob] = Field(min_length=1, max_length=MAX_BATCH)


class NewSubscriber(Body):
    """A webhook."""

    url: str = Field(min_length=1, max_length=2048, examples=["https://example.com/hook"])
    events: list[str] | None = Field(default=None, examples=[["job.succeeded", "job.failed"]])
    """Event types; `["*"]` for all. Left out: the outcomes of jobs."""
    description: str | None = Field(default=None, max_length=500, pattern=NO_NUL)
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
    description: str | None = Field(default=None, max_length=500, pattern=NO_NUL)
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
    statuses: list[Literal["dead", "skipped", "delivered"]] | None = Field(default=None, min_length=1)
    """`["dead", "skipped"]` if it is left out."""


class ProviderWords(BaseModel):
    """What a provider posts, in its own words."""

    model_config = ConfigDict(extra="allow")
