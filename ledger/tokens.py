"""Callback tokens: who holds one may answer for the provider, for one job.

Good as long as the job is kept, because a late success must get in. Signing is itsdangerous' with sha256, its own
salt and subkeys; time is checked here, because itsdangerous' `max_age` refuses a clock two seconds ahead.
"""

import hashlib
import hmac
import re
from binascii import a2b_base64, b2a_base64
from functools import lru_cache, partial
from hmac import compare_digest
from typing import Any, cast

import msgspec
from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.signer import SigningAlgorithm

from ledger.clock import MINUTE, Clock
from ledger.keys import SecretKeys

MAX_AHEAD = 5 * MINUTE
BLANK = b"[callback token]"
_SALT = "postback.callback-token.v1"
_BEGINS = b"WyJqb2Jf"
_LIKE_A_TOKEN = re.compile(
    rb"WyJqb2Jf(?=((?:(?!WyJqb2Jf)[A-Za-z0-9_-]){4,200}\.[A-Za-z0-9_-]{4,12}\.[A-Za-z0-9_-]{43}))"
)
"""`["job_` in base64, then a time and a sha256: looked at and not consumed, because what stands before one of ours may
look like a token that reaches into it. Bounded, because the bodies it is looked for in may be long."""


_USUAL, _IN_URLS = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"+/", b"-_")
"""Base64 in URLs has two other letters."""
_loads = msgspec.json.Decoder().decode


class BadToken(ValueError):
    """The token is not ours, is for something else, or comes from the future. It is never quoted."""


class _Sha256(SigningAlgorithm):
    """What `HMACAlgorithm` computes, for the few keys there are: begun once with each, and copied."""

    def __init__(self) -> None:
        self._begun = lru_cache(maxsize=64)(lambda key: hmac.new(key, digestmod="sha256"))

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        signing = self._begun(key).copy()
        signing.update(value)
        return signing.digest()


class CallbackTokens:
    """Mints and reads callback tokens."""

    def __init__(self, keys: SecretKeys, clock: Clock) -> None:
        self._clock = clock

        derived: dict[Any, bytes] = {}

        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return clock() // 1_000

            def timestamp_to_datetime(self, ts: int) -> Any:
                return ts  # it is only compared

            def derive_key(self, secret_key: Any = None) -> bytes:
                # The same each time, and half of what a check costs.
                if secret_key not in derived:
                    derived[secret_key] = super().derive_key(secret_key)
                return derived[secret_key]

        algorithm = _Sha256()
        self._serializer = URLSafeTimedSerializer(
            keys.subkeys("callback-token"),
            salt=_SALT,
            signer=Signer,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256, "algorithm": algorithm},
        )
        # It knows all keys, and the serializer would make one each time.
        self._signer = cast(TimestampSigner, self._serializer.make_signer(_SALT))
        self._newest = partial(algorithm.get_signature, self._signer.derive_key())

    def mint(self, job_id: str, provider: str) -> str:
        """A token for one job at one provider, URL-safe."""
        token = self._serializer.dumps([job_id, provider])
        return token if isinstance(token, str) else token.decode("ascii")

    def read(self, token: str) -> tuple[str, str]:
        """The job id and provider a token speaks for. Raises `BadToken`."""
        payload, signed_at = self._minted(token) or self._any(token)
        if signed_at * 1_000 > self._clock() + MAX_AHEAD:
            raise BadToken("signed in the future")
        match payload:
            case [str(job_id), str(provider)]:
                return job_id, provider
        raise BadToken("bad payload")

    def _minted(self, token: str) -> tuple[Any, int] | None:
        """Payload and time of a token that reads as it was minted, by the newest key, as nearly all do. What `_any` has
        for it, in a third of the time; None for all others."""
        text, _, signature = token.encode("utf-8", "replace").rpartition(b".")
        payload, _, signed_at = text.rpartition(b".")
        signed = b2a_base64(self._newest(text), newline=False).translate(_IN_URLS)
        if not compare_digest(signed, signature + b"=") or not payload.startswith(_BEGINS):
            return None
        return _loads(_unpacked(payload)), int.from_bytes(_unpacked(signed_at))

    def _any(self, token: str) -> tuple[Any, int]:
        """Payload and time of any good token. Raises `BadToken`."""
        try:
            signed, signed_at = cast(tuple[bytes, int], self._signer.unsign(token, return_timestamp=True))
            return self._serializer.load_payload(signed), signed_at
        except (BadData, ValueError, OverflowError):
            raise BadToken("bad signature") from None

    def blank(self, text: bytes) -> bytes:
        """The text without our own tokens: providers echo the callback_url, and what they say is stored and shown."""
        if _BEGINS not in text:
            return text
        parts, end = [], 0
        for found in _LIKE_A_TOKEN.finditer(text):
            if self._ours(found[0] + found[1]):
                parts += [text[end : found.start()], BLANK]
                end = found.end(1)
        return b"".join([*parts, text[end:]])

    def _ours(self, token: bytes) -> bool:
        try:
            self.read(token.decode("ascii"))
        except BadToken:
            return False
        return True


def _unpacked(text: bytes) -> bytes:
    return a2b_base64(text.translate(_USUAL) + b"==")
