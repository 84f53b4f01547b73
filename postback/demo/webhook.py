"""A webhook as a subscriber sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from providers import jsontext
from receiver import signing
from receiver.signing import Verdict


@dataclass(frozen=True, slots=True)
class Webhook:
    """One POST that arrived. Only one that verified was read: `type` and `data` of any other are empty."""

    id: str
    verdict: Verdict
    type: str = ""
    data: Mapping[str, Any] | None = None

    @classmethod
    def received(cls, secret: str, headers: Mapping[str, str], body: bytes, now: float) -> Self:
        """Verifies a POST and reads it. `now` is in seconds; raises `BadJson` if it verifies and yet is no webhook."""
        id, verdict = headers.get(signing.ID, "without an id"), signing.verify(secret, headers, body, now)
        if not verdict.ok:
            return cls(id, verdict)
        match jsontext.load_object(body):
            case {"type": str(type), "data": dict(data)}:
                return cls(id, verdict, type, data)
        raise jsontext.BadJson("the JSON has no type and data")

    @property
    def job_id(self) -> str | None:
        """The job it tells of."""
        return self.data.get("id") if self.data else None
