"""What to do about an error, as a table: the first rule that fits (HTTP status, code, message) decides.

Each provider has its own rules for the codes it documents; `BY_STATUS` follows them for all others.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any

from providers.fields import cleaned
from providers.protocol import Answer, Disposition, Refusal

ANY_STATUS = range(100, 1000)


@dataclass(frozen=True, slots=True)
class Rule:
    """`codes` are patterns (`fnmatch`); `saying` must occur in the message, in any case of letters."""

    disposition: Disposition
    codes: tuple[str, ...] = ("*",)
    statuses: Container[int] = ANY_STATUS
    saying: str = ""

    def fits(self, status: int, code: str, message: str) -> bool:
        return (
            status in self.statuses
            and any(fnmatchcase(code, pattern) for pattern in self.codes)
            and self.saying.lower() in message.lower()
        )


BY_STATUS = (
    Rule(Disposition.THROTTLE, statuses=(429,)),
    Rule(Disposition.AMBIGUOUS, statuses=(408,)),
    Rule(Disposition.FINAL, statuses=range(300, 500)),
    Rule(Disposition.AMBIGUOUS),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """A provider's rules, and the remedies it knows: `hints` maps code patterns to a sentence for a person."""

    rules: tuple[Rule, ...]
    hints: Mapping[str, str]

    def disposition(self, status: int, code: str, message: str) -> Disposition:
        rules = (*self.rules, *BY_STATUS)
        fitting = (rule.disposition for rule in rules if rule.fits(status, code, message))
        return next(fitting, Disposition.AMBIGUOUS)

    def hint(self, code: str) -> str | None:
        return next((text for pattern, text in self.hints.items() if fnmatchcase(code, pattern)), None)

    def refusal(self, answer: Answer, code: Any = None, message: Any = None) -> Refusal:
        """An error answer. Without a readable code it is named by its status, e.g. `HTTP 502`."""
        code = cleaned(code) if isinstance(code, str) and code else f"HTTP {answer.status}"
        message = cleaned(message) if isinstance(message, str) and message else _in_words(answer.status)
        disposition = self.disposition(answer.status, code, message)
        return Refusal(disposition, code, message, answer.status, retry_after(answer.headers))

    def unreadable(self, answer: Answer, why: str) -> Refusal:
        """An answer that cannot be understood. `why` must not quote it: it may be a page of HTML."""
        return self.refusal(answer, message=f"{_in_words(answer.status)} Its body could not be read: {why}.")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3) in seconds. A date counts from the answer's own `Date`, without which it
    says nothing: the provider's clock is not ours."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, ValueError, TypeError, OverflowError, IndexError):
        return None


def _in_words(status: int) -> str:
    try:
        return f"The provider answered HTTP {status} ({HTTPStatus(status).phrase})."
    except ValueError:
        return f"The provider answered HTTP {status}."
