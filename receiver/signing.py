"""Webhook signatures: Standard Webhooks 1.0, scheme `v1` (HMAC-SHA256), exactly.

What is signed is `id.timestamp.body`; the signature is base64 after `v1,`. During a rotation there is one signature
for each live secret, separated by spaces, and a receiver accepts the message when any of them matches.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "whsec_"
ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"

_NEW_SECRET_BYTES = 32
_MIN_SECRET_BYTES, _MAX_SECRET_BYTES = 24, 64


class Mismatch(StrEnum):
    """Why a message does not verify."""

    MISSING_HEADER = "missing_header"
    BAD_TIMESTAMP = "bad_timestamp"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_SIGNATURE = "wrong_signature"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a message verifies. `mismatch` is None when it does; `explanation` is a sentence for people."""

    mismatch: Mismatch | None
    explanation: str

    @property
    def ok(self) -> bool:
        return self.mismatch is None


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A fresh secret, `whsec_` and the base64 of 32 bytes. `random_bytes` gives that many (`secrets.token_bytes`)."""
    return PREFIX + base64.b64encode(random_bytes(_NEW_SECRET_BYTES)).decode()


def parse_secret(text: str) -> bytes:
    """The key inside a secret, ours or one that a user brings; base64 padding may be missing.

    Raises ValueError, with a message that does not quote the secret, unless it is `whsec_` and the base64 of 24 to
    64 bytes (Standard Webhooks 1.0, "Signature scheme"). The length is a rule for who keeps a secret: `sign` and
    `verify` take any, as the public libraries do and one published vector of 18 bytes needs.
    """
    key = _key(text)
    if not _MIN_SECRET_BYTES <= len(key) <= _MAX_SECRET_BYTES:
        raise ValueError(
            f"a signing secret holds {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} bytes; this one holds {len(key)}"
        )
    return key


def sign(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,…` for each live secret, in their order.

    `timestamp` is in seconds. Raises ValueError for a malformed secret, or for none at all.
    """
    if not secrets:
        raise ValueError("a message needs at least one signing secret")
    signed = b"%s.%d.%s" % (id.encode(), timestamp, body)
    return " ".join(_hmac(_key(secret), signed) for secret in secrets)


def headers(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three signature headers of a message. `timestamp` is in seconds; raises as `sign` does."""
    return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: sign(secrets, id, timestamp, body)}


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float, tolerance: int = 300) -> Verdict:
    """Judges a received message and says why it does not verify.

    `headers` may be written in any case; `now` and `tolerance` are in seconds. Raises ValueError only for a malformed
    `secret`: whatever a sender can put into headers or body ends in a verdict.
    """
    key = _key(secret)
    given = {name.lower(): value for name, value in headers.items()}
    for name in (ID, TIMESTAMP, SIGNATURE):
        if not given.get(name):
            return Verdict(Mismatch.MISSING_HEADER, f"The header {name} is missing or empty.")
    id, written, signatures = given[ID], given[TIMESTAMP], given[SIGNATURE].split()
    if not (written.isascii() and written.isdigit() and len(written) <= 15):
        return Verdict(Mismatch.BAD_TIMESTAMP, f"{TIMESTAMP} is not a whole number of seconds since 1970.")

    signed = b"%s.%s.%s" % (id.encode("utf-8", "surrogatepass"), written.encode(), body)
    expected = _hmac(key, signed).encode()
    # Compared as bytes: compare_digest refuses text that is not ASCII, which a sender may well put here.
    matches = [hmac.compare_digest(expected, one.encode("utf-8", "surrogatepass")) for one in signatures]
    age = now - int(written)
    if abs(age) > tolerance:
        mismatch, side = (Mismatch.TOO_OLD, "before") if age > 0 else (Mismatch.TOO_NEW, "after")
        also = "the signature itself matches" if any(matches) else "the signature does not match either"
        return Verdict(
            mismatch,
            f"{TIMESTAMP} is {abs(age):.0f} seconds {side} this clock, and {tolerance} are tolerated; {also}.",
        )
    if any(matches):
        return Verdict(None, "The signature matches.")
    if not any(one.startswith("v1,") for one in signatures):
        return Verdict(Mismatch.UNKNOWN_VERSION, f"{SIGNATURE} has no v1 signature, the only version known here.")
    return Verdict(
        Mismatch.WRONG_SIGNATURE,
        "No v1 signature matches: the secret is another one, or the body is not byte for byte what was sent "
        "(verify the raw body, before any JSON parser touches it).",
    )


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise ValueError(f"a signing secret starts with {PREFIX}")
    encoded = secret[len(PREFIX) :].rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        raise ValueError(f"a signing secret is base64 after {PREFIX}") from None
    if not key:
        raise ValueError("a signing secret is not empty")
    return key


def _hmac(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
