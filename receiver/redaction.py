"""What an attempt may remember of what was sent and what came back: no secret, no NUL, and not without end. Pure."""

import html
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from urllib.parse import quote

BLANK = "…"
CUT = " […cut]"
MAX_HEADERS = 64
MAX_HEADERS_BYTES = 8 * 1024

_MAX_VALUE = 1024
_MIN_SECRET = 8
_SECRET_NAMES = ("token", "secret", "key", "cookie", "auth")
_NUL = "\x00"


class Redaction:
    """Blanks the secrets of one subscriber wherever they turn up.

    `custom` are its own headers, whose values are its business alone; `secrets` are those that sign (`whsec_…`).
    """

    def __init__(self, custom: Mapping[str, str], secrets: Iterable[str]) -> None:
        self._custom = {name.lower() for name in custom}
        # What is secret stands behind a scheme ("Bearer …") or a prefix ("whsec_…"), and may be echoed without it.
        parts = [*custom.values(), *(value.partition(" ")[2] for value in custom.values())]
        parts += [text for secret in secrets for text in (secret, secret.partition("_")[2])]
        self._needles = sorted(set(_spellings(parts)), key=len, reverse=True)

    def text(self, text: str) -> str:
        """Text of ours or theirs, without secrets and without NUL, which PostgreSQL refuses."""
        for needle in self._needles:
            text = text.replace(needle, BLANK)
        return text.replace(_NUL, "\N{REPLACEMENT CHARACTER}")

    def excerpt(self, body: bytes, *, truncated: bool) -> str:
        """A body as text. Where it was cut off, half a secret goes too, and the end says that there was more."""
        text = body.decode("utf-8", "replace")
        if not truncated:
            return self.text(text)
        return self.text(_without_half(text, self._needles)) + CUT

    def request_headers(self, sent: Mapping[str, str]) -> dict[str, str]:
        """Ours as they were sent, the signature included, for that is no secret; of the custom ones the names."""
        return _bounded({name: BLANK if name.lower() in self._custom else value for name, value in sent.items()})

    def response_headers(self, received: Mapping[str, str]) -> dict[str, str]:
        """All but the values of those that are made to hold secrets."""
        if self._is_plain(received):
            return dict(received)
        return _bounded(
            {self.text(name): BLANK if _is_secret(name) else self._value(value) for name, value in received.items()}
        )

    def _is_plain(self, received: Mapping[str, str]) -> bool:
        """Whether there is nothing to blank or cut, as with nearly every answer."""
        together = "\n".join(chain.from_iterable(received.items()))
        return (
            len(received) <= MAX_HEADERS
            and len(together) <= _MAX_VALUE
            and together.isascii()
            and not any(map(_is_secret, received))
            and self.text(together) == together
        )

    def _value(self, value: str) -> str:
        cut = value[:_MAX_VALUE]
        return self.text(value) if cut == value else self.text(_without_half(cut, self._needles)) + CUT


@lru_cache(maxsize=1_024)
def redaction_for(custom: tuple[tuple[str, str], ...], secrets: tuple[str, ...]) -> Redaction:
    """The same for the same subscriber: its spellings are made once."""
    return Redaction(dict(custom), secrets)


def _bounded(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) <= MAX_HEADERS and 4 * sum(map(len, chain.from_iterable(headers.items()))) <= MAX_HEADERS_BYTES:
        return headers  # no character takes more than four bytes
    kept: dict[str, str] = {}
    left = MAX_HEADERS_BYTES
    for name, value in headers.items():
        left -= len(name.encode()) + len(value.encode())
        if left < 0 or len(kept) == MAX_HEADERS:
            return kept | {BLANK: f"{len(headers) - len(kept)} more were cut"}
        kept[name] = value
    return kept


@lru_cache(maxsize=1_024)
def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_NAMES) or name.lower().endswith("-authenticate")


def _spellings(parts: Iterable[str]) -> Iterable[str]:
    """Each part as it is, and as it reads when it is echoed in JSON, in a URL or in a web page."""
    for part in map(str.strip, parts):
        if len(part) >= _MIN_SECRET:
            yield from (part, json.dumps(part)[1:-1], part.replace("/", "\\/"), quote(part, safe=""), html.escape(part))


def _without_half(text: str, needles: Iterable[str]) -> str:
    """Without the beginning of a secret at the very end, where the rest of it was cut off."""
    for needle in needles:
        at = text.find(needle[:_MIN_SECRET], max(0, len(text) - len(needle)))
        while at >= 0:
            if needle.startswith(text[at:]):
                return text[:at] + BLANK
            at = text.find(needle[:_MIN_SECRET], at + 1)
    return text
