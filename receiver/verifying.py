"""Judges a received message, and says as exactly as can be known why it does not verify.

It looks for reasons longer than a server should: it is for finding a fault, by hand or in a demonstration. Whoever
receives webhooks for work verifies as docs/verify.md shows.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from receiver import rewritten
from receiver.mismatch import Mismatch, Verdict
from receiver.schemes import ID, SECRET, SIGNATURE, TIMESTAMP, Secret, Verifier, content, decoded, read_verifier

_NAMES = (ID, TIMESTAMP, SIGNATURE)
_OTHER_SENDERS = {
    "x-hub-signature-256": "GitHub or Meta",
    "x-hub-signature": "GitHub or Meta",
    "x-gitlab-token": "GitLab",
    "stripe-signature": "Stripe",
    "x-slack-signature": "Slack",
    "x-shopify-hmac-sha256": "Shopify",
    "x-twilio-signature": "Twilio",
    "paypal-transmission-sig": "PayPal",
    "linear-signature": "Linear",
    "x-eventbridge-signature": "Alibaba Cloud EventBridge",
}
_VERSIONS = {"v1": Mismatch.ONLY_V1, "v1a": Mismatch.ONLY_V1A}
_NEEDS = {"v1": "the secret, whsec_…", "v1a": "the public key, whpk_…"}

_MOST_EXAMINED = 4
"""Signatures that are examined closely. A message has two during a rotation; a sender may write hundreds."""

_HASHED_AT_MOST = 32_000_000
"""Bytes, when other timestamps are tried: a tenth of a second or so, whatever the body's size."""

_SECONDS_AROUND = {"v1": 3600, "v1a": 300}


@dataclass(frozen=True, slots=True)
class _Message:
    id: str
    timestamp: str
    signatures: list[str]
    body: bytes

    def content(self) -> bytes:
        return content(self.id, self.timestamp, self.body)

    def of(self, version: str) -> list[str]:
        """The signatures of that version, as they are written after `version,`."""
        return [one.removeprefix(f"{version},") for one in self.signatures if one.startswith(f"{version},")]


def verify(key: str, headers: Mapping[str, str], body: bytes, now: float, tolerance: int = 300) -> Verdict:
    """Judges a received message and says why it does not verify.

    `key` is a secret `whsec_…` or a public key `whpk_…`. `headers` may be written in any case; `now` and `tolerance`
    are in seconds. Raises ValueError only for a malformed `key`: whatever a sender can put into headers or body ends
    in a verdict. No explanation quotes the key, or anything that the sender wrote.
    """
    verifier = read_verifier(key)
    given = {name.lower(): value for name, value in headers.items()}
    if verdict := _missing(given) or _swapped(given) or _no_time(given[TIMESTAMP]):
        return verdict
    message = _Message(given[ID], given[TIMESTAMP], list(dict.fromkeys(given[SIGNATURE].split())), body)
    known = [raw for text in message.of(verifier.version) if (raw := decoded(text)) is not None]
    good = verifier.matches(message.content(), [raw for raw in known if len(raw) == verifier.size])
    age = now - int(message.timestamp)
    if abs(age) <= tolerance:
        return Verdict(None, "The signature matches.") if good else _why(key, verifier, message)
    mismatch, side = (Mismatch.TOO_OLD, "before") if age > 0 else (Mismatch.TOO_NEW, "after")
    late = f"{TIMESTAMP} is {abs(age):.0f} seconds {side} this clock, and {tolerance} are tolerated"
    if good:
        return Verdict(
            mismatch,
            f"{late}; the signature itself matches. A message that was kept can be judged with a wider tolerance; one "
            "that has just arrived is a replay, or one of the two clocks is wrong.",
        )
    return Verdict(mismatch, f"{late}; the signature does not match either. {_why(key, verifier, message).explanation}")


def _missing(given: Mapping[str, str]) -> Verdict | None:
    missing = [name for name in _NAMES if not given.get(name)]
    if not missing:
        return None
    plain = {re.sub("^(http-)?(x-)?", "", name.replace("_", "-")): name for name, value in given.items() if value}
    for name in missing:
        if f"svix-{name.removeprefix('webhook-')}" in plain:
            return Verdict(
                Mismatch.RENAMED_HEADER,
                f"There is no {name} but its namesake of Svix, svix-…: Postback sends the names of Standard Webhooks, "
                "so this comes from another sender, or something renamed it.",
            )
        if name in plain:
            return Verdict(
                Mismatch.RENAMED_HEADER,
                f"The header {name} has been given another name (with underscores, HTTP_ or x- before it, as some "
                f"servers and proxies do): hand it over as {name}.",
            )
    for name, sender in _OTHER_SENDERS.items():
        if given.get(name):
            return Verdict(
                Mismatch.OTHER_SENDER,
                f"There is no {missing[0]} but {name}, which {sender} sends: this is not a message of Postback.",
            )
    if len(missing) == len(_NAMES):
        return Verdict(
            Mismatch.MISSING_HEADER,
            f"The headers {ID}, {TIMESTAMP} and {SIGNATURE} are missing or empty: a proxy took them away, or this "
            "is not a message of Postback.",
        )
    return Verdict(Mismatch.MISSING_HEADER, f"The header {missing[0]} is missing or empty.")


def _swapped(given: Mapping[str, str]) -> Verdict | None:
    looks_like = {name: _looks_like(given[name]) for name in _NAMES}
    if looks_like == {name: name for name in _NAMES} or set(looks_like.values()) != set(_NAMES):
        return None
    found = ", ".join(f"{name} looks like a {other}" for name, other in looks_like.items() if name != other)
    return Verdict(Mismatch.SWAPPED_HEADERS, f"The headers are exchanged: {found}. Hand each over under its own name.")


def _looks_like(value: str) -> str:
    if value.startswith(("v1,", "v1a,")):
        return SIGNATURE
    return TIMESTAMP if value.isascii() and value.isdigit() else ID


def _no_time(written: str) -> Verdict | None:
    if not (written.isascii() and written.isdigit() and len(written) <= 15):
        return Verdict(Mismatch.BAD_TIMESTAMP, f"{TIMESTAMP} is not a whole number of seconds since 1970.")
    if len(written.lstrip("0")) >= 12:  # as seconds this is the year 5138 or later
        return Verdict(
            Mismatch.MILLISECONDS,
            f"{TIMESTAMP} is too large for seconds since 1970: it seems to be in milliseconds. Postback sends seconds, "
            "so something between rewrote it, or another sender made the message.",
        )
    return None


def _why(key: str, verifier: Verifier, message: _Message) -> Verdict:
    """Why none of the signatures matches."""
    version = verifier.version
    written = message.of(version)
    if not written:
        return _no_version(version, message)
    raw = [decoded(text) for text in written]
    known = [one for one in raw if one is not None and len(one) == verifier.size][:_MOST_EXAMINED]
    if not known:
        return _malformed(verifier, written, [one for one in raw if one is not None])
    return (
        _secret_as_text(key, message, known)
        or _changed_body(verifier, message, known)
        or _other_timestamp(verifier, message, known)
        or _wrong(verifier, message)
    )


def _no_version(version: str, message: _Message) -> Verdict:
    for other, mismatch in _VERSIONS.items():
        if other != version and message.of(other):
            return Verdict(
                mismatch,
                f"{SIGNATURE} has {other} signatures only, and what was given to verify with is for {version}: "
                f"verify with {_NEEDS[other]}.",
            )
    if any("," in one for one in message.signatures):
        return Verdict(Mismatch.UNKNOWN_VERSION, f"{SIGNATURE} has no v1 or v1a signature, the versions known here.")
    return Verdict(
        Mismatch.UNKNOWN_VERSION,
        f"{SIGNATURE} does not say its version: hand over the whole header, as it came ({version},…).",
    )


def _malformed(verifier: Verifier, written: list[str], raw: list[bytes]) -> Verdict:
    what = f"The {verifier.version} signature"
    if any(re.fullmatch(f"[0-9a-fA-F]{{{2 * verifier.size}}}", text) for text in written):
        return Verdict(Mismatch.NOT_BASE64, f"{what} is written in hexadecimal; Postback writes base64.")
    if raw:
        return Verdict(
            Mismatch.WRONG_LENGTH,
            f"{what} holds {len(raw[0])} bytes, not {verifier.size}: it was cut off, or made in another way.",
        )
    return Verdict(Mismatch.NOT_BASE64, f"{what} is not base64 with its padding: hand the header over as it came.")


def _secret_as_text(key: str, message: _Message, known: list[bytes]) -> Verdict | None:
    if not key.startswith(SECRET):
        return None
    texts = (key, key.removeprefix(SECRET))
    if not any(Secret(text.encode()).matches(message.content(), known) for text in texts):
        return None
    return Verdict(
        Mismatch.SECRET_AS_TEXT,
        "It was signed with this secret, but with its text for the key: the key is what base64 makes of the text after "
        f"{SECRET}. Postback decodes it, so another program made this message: correct it there.",
    )


def _changed_body(verifier: Verifier, message: _Message, known: list[bytes]) -> Verdict | None:
    if not message.body:
        return Verdict(
            Mismatch.EMPTY_BODY,
            "The body is empty, and Postback never sends an empty one: it was read before, or not handed over. "
            "Read the raw body once, before any JSON parser does.",
        )
    for original, happened in rewritten.originals(message.body):
        if verifier.matches(content(message.id, message.timestamp, original), known):
            return Verdict(
                Mismatch.CHANGED_BODY,
                f"The key is right, but the body is not what was sent: {happened}. Verify its raw bytes, before "
                "anything parses or decodes them.",
            )
    return None


def _other_timestamp(verifier: Verifier, message: _Message, known: list[bytes]) -> Verdict | None:
    for timestamp in _timestamps(verifier, message):
        if verifier.matches(content(message.id, str(timestamp), message.body), known):
            return Verdict(
                Mismatch.OTHER_TIMESTAMP,
                f"Key and body are right, but the signature belongs to the {TIMESTAMP} {timestamp}: each attempt has a "
                "timestamp and a signature of its own. Take all three headers from the same request.",
            )
    return None


def _timestamps(verifier: Verifier, message: _Message) -> Iterator[int]:
    """Those around the given one, the nearest first."""
    given = int(message.timestamp)
    around = min(_SECONDS_AROUND[verifier.version], _HASHED_AT_MOST // 2 // len(message.content()))
    for distance in range(1, around + 1):
        yield given + distance
        yield given - distance


def _wrong(verifier: Verifier, message: _Message) -> Verdict:
    key = "the secret" if verifier.version == "v1" else "the public key"
    if rewritten.is_ours(message.body):
        reason = (
            f"{key} is another one (one that was replaced, or another subscriber's), or the body is not byte for byte "
            "what was sent (verify the raw body, before any JSON parser touches it)."
        )
    else:
        reason = (
            "the body is not written as Postback writes it (compact JSON that begins with its type), so it was changed "
            f"on its way (verify the raw body, before any JSON parser touches it); or {key} is another one as well."
        )
    return Verdict(Mismatch.WRONG_SIGNATURE, f"No {verifier.version} signature matches: {reason}")
