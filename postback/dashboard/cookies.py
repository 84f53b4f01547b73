"""The cookie of who signed in: which key it stands on, and since when, signed. No session is kept anywhere else.

So a session survives a restart, and ends with its key: a named key by its id, which is looked up on every request, and
the configured key by a fingerprint, which another key does not have.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from ledger.api_keys import Scope
from ledger.clock import DAY, MINUTE, SECOND, Clock
from ledger.keys import SecretKeys

NAME = "postback_session"
LIFETIME = 30 * DAY
MAX_AHEAD = 5 * MINUTE
_SALT = "postback.session.v1"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a cookie says: the named key it stands on, None for the configured one, and what may be done at most."""

    key_id: str | None
    scope: Scope


class SessionCookies:
    """Writes and reads them. The newest of the secret keys signs, all verify."""

    def __init__(self, keys: SecretKeys, clock: Clock, api_key: str) -> None:
        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return clock() // SECOND

        subkeys = keys.subkeys("cookie")
        self._clock = clock
        self._fingerprints = [hmac.new(key, api_key.encode(), hashlib.sha256).hexdigest() for key in subkeys]
        self._serializer = URLSafeTimedSerializer(
            subkeys,
            salt=_SALT,
            signer=Signer,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def write(self, claim: Claim) -> str:
        """The value of a cookie."""
        text = self._serializer.dumps([claim.key_id or self._fingerprints[-1], claim.scope])
        return text if isinstance(text, str) else text.decode("ascii")

    def read(self, text: str) -> Claim | None:
        """What a cookie of ours says; None if it is none, is too old, or stands on another configured key."""
        try:
            payload, signed_at = self._serializer.loads(text, return_timestamp=True)
        except (BadData, ValueError, OverflowError):
            return None
        age = self._clock() - _milliseconds(signed_at)
        match payload:
            case [str(holder), str(scope)] if -MAX_AHEAD <= age < LIFETIME and scope in get_args(Scope):
                return self._claim(holder, scope)
        return None

    def _claim(self, holder: str, scope: Any) -> Claim | None:
        if holder.startswith("key_"):
            return Claim(holder, scope)
        return Claim(None, scope) if holder in self._fingerprints else None


def _milliseconds(signed_at: datetime) -> int:
    return int(signed_at.replace(tzinfo=UTC).timestamp() * SECOND)
