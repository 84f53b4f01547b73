"""The two signature schemes of Standard Webhooks 1.0: how their keys are written, and what they sign.

`v1` is HMAC-SHA256 with one secret on both sides, `whsec_…`. `v1a` is ed25519: `whsk_…` signs and stays with the
sender, `whpk_…` verifies and is no secret. Each is base64 after its prefix ("Signature scheme"). What is signed is
`id.timestamp.body` in both.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"

SECRET = "whsec_"
PRIVATE = "whsk_"
PUBLIC = "whpk_"

_SEED_BYTES = 32
_PUBLIC_BYTES = 32


class Signer(Protocol):
    """What signs: a secret or a private key."""

    version: ClassVar[str]

    def sign(self, content: bytes) -> bytes:
        """The signature, not yet in base64."""


class Verifier(Protocol):
    """What verifies: a secret or a public key. A good signature has `size` bytes."""

    version: ClassVar[str]
    size: ClassVar[int]

    def matches(self, content: bytes, signatures: Sequence[bytes]) -> bool:
        """Whether any of the signatures is one of the content."""


class Secret:
    """The key of `v1`: bytes of any length but none."""

    version: ClassVar[str] = "v1"
    size: ClassVar[int] = 32

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)

    def sign(self, content: bytes) -> bytes:
        """HMAC-SHA256 of the content."""
        # A copy costs half of `hmac.digest`, which also hands the interpreter to any thread that waits for it.
        signing = self._keyed.copy()
        signing.update(content)
        return signing.digest()

    def matches(self, content: bytes, signatures: Sequence[bytes]) -> bool:
        """Compares in constant time, with all of them."""
        expected = self.sign(content)
        return sum(hmac.compare_digest(expected, signature) for signature in signatures) > 0


@dataclass(frozen=True, slots=True, repr=False)
class PublicKey:
    """The key that verifies `v1a`."""

    version: ClassVar[str] = "v1a"
    size: ClassVar[int] = 64

    key: Ed25519PublicKey

    def matches(self, content: bytes, signatures: Sequence[bytes]) -> bool:
        """Tries one after the other: nothing here is secret."""
        return any(self._signed(content, signature) for signature in signatures)

    def _signed(self, content: bytes, signature: bytes) -> bool:
        try:
            self.key.verify(signature, content)
        except InvalidSignature:
            return False
        return True

    def written(self) -> str:
        """`whpk_…`"""
        return PUBLIC + encoded(self.key.public_bytes_raw())


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """The key that signs `v1a`."""

    version: ClassVar[str] = "v1a"

    key: Ed25519PrivateKey

    def sign(self, content: bytes) -> bytes:
        """The ed25519 signature of the content: the same one each time (RFC 8032)."""
        return self.key.sign(content)

    @property
    def public_key(self) -> PublicKey:
        """What verifies its signatures."""
        return PublicKey(self.key.public_key())


def content(id: str, timestamp: str, body: bytes) -> bytes:
    """What is signed. `id` and `timestamp` may be any text that a header can hold."""
    return b"%s.%s.%s" % (id.encode("utf-8", "surrogatepass"), timestamp.encode("utf-8", "surrogatepass"), body)


def read_secret(text: str) -> Secret:
    """A `whsec_…`, base64 padding or not. Raises ValueError, which never quotes the text."""
    key = _decoded(text, SECRET, "a signing secret")
    if not key:
        raise ValueError("a signing secret is not empty")
    return Secret(key)


def read_private_key(text: str) -> PrivateKey:
    """A `whsk_…`: the 32 bytes of an ed25519 seed, or 64, where the public key follows. Raises ValueError.

    Standard Webhooks does not say which: its own library for Go has 32, Svix's server 64.
    """
    raw = _decoded(text, PRIVATE, "a private key")
    if len(raw) not in (_SEED_BYTES, _SEED_BYTES + _PUBLIC_BYTES):
        raise ValueError(f"a private key holds {_SEED_BYTES} bytes, or 64 with its public key; this one {len(raw)}")
    key = Ed25519PrivateKey.from_private_bytes(raw[:_SEED_BYTES])
    if raw[_SEED_BYTES:] not in (b"", key.public_key().public_bytes_raw()):
        raise ValueError("the public key at the end of the private key is not its own")
    return PrivateKey(key)


def read_public_key(text: str) -> PublicKey:
    """A `whpk_…`, the 32 bytes of an ed25519 public key. Raises ValueError."""
    raw = _decoded(text, PUBLIC, "a public key")
    if len(raw) != _PUBLIC_BYTES:
        raise ValueError(f"a public key holds {_PUBLIC_BYTES} bytes; this one holds {len(raw)}")
    return PublicKey(Ed25519PublicKey.from_public_bytes(raw))


@lru_cache(maxsize=1_024)
def read_signer(text: str) -> Signer:
    """What a live secret signs with, by its prefix. Raises ValueError."""
    return read_private_key(text) if text.startswith(PRIVATE) else read_secret(text)


def read_verifier(text: str) -> Verifier:
    """What a secret, a public or even a private key verifies with, by its prefix. Raises ValueError."""
    readers: dict[str, Callable[[str], Verifier]] = {
        PUBLIC: read_public_key,
        PRIVATE: lambda text: read_private_key(text).public_key,
    }
    read = next((read for prefix, read in readers.items() if text.startswith(prefix)), read_secret)
    return read(text)


def encoded(raw: bytes) -> str:
    """Base64 with its padding, as keys and signatures are written."""
    return base64.b64encode(raw).decode()


def decoded(text: str) -> bytes | None:
    """The bytes of a signature; None unless the text is what `encoded` would write."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if encoded(raw) == text else None


def _decoded(text: str, prefix: str, what: str) -> bytes:
    if not text.startswith(prefix):
        raise ValueError(f"{what} starts with {prefix}")
    digits = text[len(prefix) :].rstrip("=")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError:
        raise ValueError(f"{what} is base64 after {prefix}") from None
