"""What answers about subscribers hold."""

from typing import Any, Literal

from pydantic import Field

from postback.api.models import Shape


class LaneHealth(Shape):
    """How a subscriber's queue is doing."""

    state: Literal["healthy", "failing", "paused", "open"]
    """`failing`: some attempts failed since one arrived. `paused`: it asked to be left alone until `paused_until`.
    `open`: so many failed that it is left alone, and then probed."""
    consecutive_failures: int
    failing_since: str | None
    paused_until: str | None
    """Until then nothing is sent."""


class NotifiedSubscriber(Shape):
    """A subscriber as notifications to operators carry it, without its secret."""

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
    filter: dict[str, Any] | None
    payload: Literal["full", "thin"]
    schedule: list[str] | None
    """Null: as POSTBACK_RETRY_SCHEDULE says."""
    signature: Literal["v1", "v1a"]
    """Whether it is signed with ed25519 too."""
    public_key: str | None
    """`whpk_…`: verifies the `v1a` signatures, and is no secret."""
    created_at: str


class FailingSubscriber(NotifiedSubscriber):
    """A subscriber that keeps failing, before it is disabled for that."""

    failing_since: str
    disabled_at: str
    """When it is disabled, should nothing arrive until then."""


class Subscriber(NotifiedSubscriber):
    """A subscriber, without its secret."""

    health: LaneHealth


class SubscriberWithSecret(Subscriber):
    """A subscriber with its secret: on creation and rotation only."""

    secret: str


class Ping(Shape):
    """What a `postback.ping` says."""

    subscriber_id: str


class Secret(Shape):
    """A subscriber's secret."""

    secret: str


class Resealed(Shape):
    """How many subscribers' secrets were sealed again under the newest key."""

    resealed: int
    unreadable: int
    """Those that hold something which none of the keys opens."""


class Recovered(Shape):
    """How many deliveries were set going again, or would be."""

    recovered: int
    """Finished deliveries."""
    replayed: int
    """New ones, of what was never sent to this subscriber."""
    last_due_at: str | None
    """When the last of them is sent, at the pace that was set; null if there is none."""
    dry_run: bool


class Difference(Shape):
    """A field before and after; of secrets only that they are there."""

    before: Any = Field(alias="from")
    to: Any


class Change(Shape):
    """A change of a subscriber: who did what, and when."""

    at: str
    actor: str
    """`api key from ADDRESS`, `api key NAME (ID) from ADDRESS`, or `postback` for what nobody asked for."""
    action: Literal["created", "changed", "deleted"]
    changes: dict[str, Difference]
    """By field."""
