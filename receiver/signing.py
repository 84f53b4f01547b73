"""Webhook signatures: Standard Webhooks 1.0, exactly. `schemes` says what is signed, `verifying` judges what arrives.

A live secret is a text whose prefix tells its scheme: `whsec_…` signs `v1`, the private key `whsk_…` signs `v1a`. A
message carries one signature for each of them, separated by spaces, and whoever receives it accepts it when any
matches: so secrets can be replaced, and both schemes used, without a gap.
"""

from collections.abc import Callable, Sequence

from receiver.mismatch import Mismatch, Verdict
from receiver.schemes import (
    ID,
    PRIVATE,
    SECRET,
    SIGNATURE,
    TIMESTAMP,
    Signer,
    content,
    encoded,
    read_private_key,
    read_secret,
    read_signer,
)
from receiver.verifying import verify

__all__ = [
    "ID",
    "SIGNATURE",
    "TIMESTAMP",
    "Mismatch",
    "Verdict",
    "headers",
    "new_private_key",
    "new_secret",
    "parse_secret",
    "public_key",
    "sign",
    "verify",
]

_NEW_BYTES = 32
_MIN_SECRET_BYTES, _MAX_SECRET_BYTES = 24, 64


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A fresh secret, `whsec_` and the base64 of 32 bytes. `random_bytes` gives that many (`secrets.token_bytes`)."""
    return SECRET + encoded(random_bytes(_NEW_BYTES))


def new_private_key(random_bytes: Callable[[int], bytes]) -> str:
    """A fresh private key, `whsk_` and the base64 of an ed25519 seed of 32 bytes. It never leaves the sender."""
    return PRIVATE + encoded(random_bytes(_NEW_BYTES))


def public_key(private_key: str) -> str:
    """The `whpk_…` with which anybody can verify what the private key signs. Raises ValueError for a malformed key."""
    return read_private_key(private_key).public_key.written()


def parse_secret(text: str) -> bytes:
    """The key inside a secret that a user brings; base64 padding may be missing.

    Raises ValueError, with a message that does not quote the secret, unless it is `whsec_` and the base64 of 24 to
    64 bytes (Standard Webhooks 1.0, "Signature scheme"). The length is a rule for who keeps a secret: `sign` and
    `verify` take any, as the public libraries do and one published vector of 18 bytes needs.
    """
    key = read_secret(text).key
    if not _MIN_SECRET_BYTES <= len(key) <= _MAX_SECRET_BYTES:
        raise ValueError(
            f"a signing secret holds {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} bytes; this one holds {len(key)}"
        )
    return key


def sign(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,…` or `v1a,…` for each live secret, in their order.

    `timestamp` is in seconds. Raises ValueError for a malformed secret, or for none at all.
    """
    if not secrets:
        raise ValueError("a message needs at least one signing secret")
    signed = content(id, str(timestamp), body)
    return " ".join(_signature(read_signer(secret), signed) for secret in secrets)


def headers(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three signature headers of a message. `timestamp` is in seconds; raises as `sign` does."""
    return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: sign(secrets, id, timestamp, body)}


def _signature(signer: Signer, signed: bytes) -> str:
    return f"{signer.version},{encoded(signer.sign(signed))}"
