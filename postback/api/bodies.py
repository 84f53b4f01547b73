"""What requests hold. They are checked against these; the OpenAPI is drawn from them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

NO_NUL = "^[^\\x00]*$"
"""PostgreSQL cannot keep a NUL character in a text."""

MAX_KEY = 255
"""How long an idempotency key may be, in printable ASCII characters."""

MAX_BATCH = 1_000
"""How many jobs one batch may hold."""

MAX_NAMED = 100
"""How many subscribers a job may name."""


class Body(BaseModel):
    """A request's body: no field that is not known, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True, defer_build=True)


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
    subscribers: list[str] | None = Field(default=None, max_length=MAX_NAMED)
    """Ids of those that alone are told of it, each of its events; an empty list is nobody. Left out: all that want."""
    notify_url: str | None = Field(default=None, min_length=1, max_length=2048, examples=["https://example.com/hook"])
    """Told of this job's outcome besides, as a subscriber to this job only."""
    notify_secret: str | None = None
    """Signs what `notify_url` gets: `whsec_` and base64; made for you if it is left out. The answer holds it."""


class BatchedJob(NewJob):
    """One request of a batch."""

    idempotency_key: str | None = Field(default=None, min_length=1, max_length=MAX_KEY, pattern="^[ -~]+$")
    """As the `Idempotency-Key` header of a single one."""


class NewBatch(Body):
    """Image-generation requests, recorded all or none."""

    jobs: list[BatchedJob] = Field(min_length=1, max_length=MAX_BATCH)


class Redelivery(Body):
    """How to send a delivery again."""

    at_once: bool | None = None
    """Also where it is still owed: its next attempt is made now."""
