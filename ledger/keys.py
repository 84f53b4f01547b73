"""Secret keys and what is derived from them: one subkey for each purpose, so that none can stand in for another."""

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_LENGTH = 16
MAX_OPENED = 1_024


class BadKeys(ValueError):
    """The keys cannot be used. The message never holds a key."""


class SecretKeys:
    """The keys of one installation, oldest first: the last signs and encrypts, all verify and decrypt."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise BadKeys("no secret key is set; set POSTBACK_SECRET_KEYS")
        if any(len(key) < MIN_LENGTH for key in keys):
            raise BadKeys(f"every key in POSTBACK_SECRET_KEYS must have at least {MIN_LENGTH} characters")
        self._keys = tuple(key.encode("utf-8") for key in keys)
        boxes = [Fernet(base64.urlsafe_b64encode(key)) for key in reversed(self.subkeys("at-rest"))]
        self._newest = boxes[0]
        self._box = MultiFernet(boxes)
        # Opening one costs more than signing with it, and the same few are needed for every delivery.
        self._opened = lru_cache(maxsize=MAX_OPENED)(self._open)

    def subkeys(self, purpose: str) -> list[bytes]:
        """32 bytes for each key, oldest first, good for that purpose only (HKDF, RFC 5869)."""
        info = b"postback/" + purpose.encode("ascii")
        return [HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key) for key in self._keys]

    @property
    def fingerprints(self) -> list[str]:
        """What may be written down of each key to recognise it, oldest first."""
        return [hashlib.sha256(key).hexdigest()[:16] for key in self.subkeys("fingerprint")]

    def encrypt(self, text: str) -> str:
        """Seals a secret for a database column (Fernet)."""
        return self._box.encrypt(text.encode("utf-8")).decode("ascii")

    def is_newest(self, sealed: str) -> bool:
        """Whether the newest of the keys sealed this. Only trying can tell."""
        try:
            self._newest.decrypt(sealed.encode("ascii"))
        except InvalidToken:
            return False
        return True

    def decrypt(self, sealed: str) -> str:
        """Opens what any of the keys sealed. Raises `BadKeys`."""
        return self._opened(sealed)

    def _open(self, sealed: str) -> str:
        try:
            return self._box.decrypt(sealed.encode("ascii")).decode("utf-8")
        except InvalidToken:
            raise BadKeys("a stored secret was sealed with a key that is not in POSTBACK_SECRET_KEYS") from None
