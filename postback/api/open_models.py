"""What the calls take and answer with that need no key."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ProviderWords(BaseModel):
    """What a provider posts, in its own words."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class Received(BaseModel):
    """A callback that was stored, and what it meant for its job."""

    model_config = ConfigDict(defer_build=True)

    verdict: Literal["accepted", "progress", "duplicate", "conflicting"]


class Health(BaseModel):
    """The process is up."""

    model_config = ConfigDict(defer_build=True)

    status: str
