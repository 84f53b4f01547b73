"""What requests about subscribers hold."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ledger.clock import DAY
from postback import durations
from postback.api.bodies import NO_NUL, Body
from postback.api.models import Event
from providers import PROVIDERS

MAX_DELAY = 30 * DAY
MAX_DELAYS = 50
"""How many attempts a schedule may have."""

MAX_LABELS = 50
MAX_ALTERNATIVES = 100

MIN_RATE, MAX_RATE = 0.001, 100_000
"""Deliveries a second: one in a quarter of an hour, and more than anybody takes."""


def _complaint(why: str) -> PydanticCustomError:
    return PydanticCustomError("postback", "{why}", {"why": why})


def _delay(value: Any) -> int:
    if not isinstance(value, str):
        raise _complaint("write a duration such as 0s, 15s, 5m or 2h")
    try:
        delay = durations.parse(value)
    except ValueError as error:
        raise _complaint(str(error)) from None
    if delay > MAX_DELAY:
        raise _complaint(f"a delay is at most {durations.render(MAX_DELAY)}")
    return delay


def _alternatives(value: Any, kinds: tuple[type, ...], what: str) -> Any:
    """A value, or a list of some, each of one of these kinds."""
    if isinstance(value, list) and not 1 <= len(value) <= MAX_ALTERNATIVES:
        raise _complaint(f"name 1 to {MAX_ALTERNATIVES} alternatives, or leave it out")
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, kinds):
            raise _complaint(f"write {what}, or a list of such")
    return value


def _label(value: Any) -> Any:
    return _alternatives(value, (str, int, float, bool, type(None)), "a text, a number, true, false or null")


def _words(value: Any) -> Any:
    return _alternatives(value, (str,), "a text")


def _providers(value: Any) -> Any:
    for one in value if isinstance(_words(value), list) else [value]:
        if one not in PROVIDERS:
            raise _complaint(f"there is no provider {one!r}; write {' or '.join(PROVIDERS)}")
    return value


def _one_or_more(schema: dict[str, Any]) -> WithJsonSchema:
    many = {"type": "array", "items": schema, "minItems": 1, "maxItems": MAX_ALTERNATIVES}
    return WithJsonSchema({"anyOf": [schema, many]})


Delay = Annotated[int, PlainValidator(_delay), WithJsonSchema({"type": "string", "examples": ["0s", "5m"]})]
Schedule = Annotated[list[Delay], Field(min_length=1, max_length=MAX_DELAYS, examples=[["0s", "5s", "5m"]])]
Label = Annotated[
    Any, PlainValidator(_label), _one_or_more({"type": ["string", "number", "boolean", "null"], "examples": ["acme"]})
]
Models = Annotated[Any, PlainValidator(_words), _one_or_more({"type": "string", "examples": ["flux-dev"]})]
Providers = Annotated[Any, PlainValidator(_providers), _one_or_more({"type": "string", "enum": list(PROVIDERS)})]
Rate = Annotated[float, Field(ge=MIN_RATE, le=MAX_RATE)]
MaxInFlight = Annotated[int, Field(ge=1, le=1000)]


class Filter(Body):
    """Which jobs are wanted. Every line must hold; a list names alternatives."""

    metadata: dict[str, Label] = Field(default_factory=dict, max_length=MAX_LABELS)
    """Values of the job's metadata, by name. A job without that name is not wanted."""
    model: Models = None
    provider: Providers = None


class SubscriberFields(Body):
    """What is chosen of a subscriber, when it is registered and later; null is the default."""

    events: list[str] | None = Field(default=None, examples=[["job.succeeded", "job.failed"]])
    """Event types; `["job.*"]` for all about jobs, `["*"]` for all. Left out: the outcomes of jobs."""
    description: str | None = Field(default=None, max_length=500, pattern=NO_NUL)
    headers: dict[str, str] | None = None
    """Sent with every delivery; stored sealed and never shown again."""
    metadata: dict[str, Any] | None = None
    max_in_flight: MaxInFlight | None = None
    """How many deliveries may be under way at once (10)."""
    rate_limit: Rate | None = None
    """Deliveries a second at most."""
    filter: Filter | None = None
    """Only jobs like these; all if it is left out."""
    payload: Literal["full", "thin"] | None = None
    """`thin`: ids, type and status only (`full`)."""
    schedule: Schedule | None = None
    """The delay before each attempt; its length is the number of attempts. Null: as POSTBACK_RETRY_SCHEDULE says."""
    signature: Literal["v1", "v1a"] | None = None
    """`v1a`: signed with ed25519 too, so that the secret need not be shared with who verifies (`v1`)."""


class NewSubscriber(SubscriberFields):
    """A webhook."""

    url: str = Field(min_length=1, max_length=2048, examples=["https://example.com/hook"])
    secret: str | None = None
    """`whsec_` and base64; made for you if it is left out."""


class SubscriberChanges(SubscriberFields):
    """What to change; fields that are left out stay."""

    url: str | None = Field(default=None, min_length=1, max_length=2048)
    enabled: bool | None = None


class Rotation(Body):
    """How to rotate a secret."""

    grace: str | None = Field(default=None, examples=["24h"])
    """How long the old secrets sign beside the new ones; `0s` ends them at once."""


class Trial(Body):
    """What to send as a test."""

    type: Event | None = None
    """Any event type: an example of it is sent. Left out: `postback.ping`."""


class Recovery(Body):
    """What to send again: the deliveries of a window of time."""

    since: str = Field(examples=["2026-01-31T12:00:00Z"])
    until: str | None = None
    statuses: list[Literal["dead", "skipped", "delivered"]] | None = Field(default=None, min_length=1)
    """`["dead", "skipped"]` if it is left out."""
    dry_run: bool | None = None
    """Only count."""
    replay_missing: bool | None = None
    """Also what the subscriber would get today and never did: it was registered later, or wanted less then."""
    rate: Rate | None = None
    """Deliveries a second, if that is slower than the subscriber's `rate_limit` (its `rate_limit`, or 10)."""
