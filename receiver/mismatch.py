"""Why a message does not verify."""

from dataclasses import dataclass
from enum import StrEnum


class Mismatch(StrEnum):
    """What is wrong with a message, as exactly as can be known from outside."""

    MISSING_HEADER = "missing_header"
    RENAMED_HEADER = "renamed_header"
    OTHER_SENDER = "other_sender"
    SWAPPED_HEADERS = "swapped_headers"
    BAD_TIMESTAMP = "bad_timestamp"
    MILLISECONDS = "milliseconds"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    UNKNOWN_VERSION = "unknown_version"
    ONLY_V1 = "only_v1"
    ONLY_V1A = "only_v1a"
    NOT_BASE64 = "not_base64"
    WRONG_LENGTH = "wrong_length"
    SECRET_AS_TEXT = "secret_as_text"
    EMPTY_BODY = "empty_body"
    CHANGED_BODY = "changed_body"
    OTHER_TIMESTAMP = "other_timestamp"
    WRONG_SIGNATURE = "wrong_signature"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a message verifies. `mismatch` is None when it does; `explanation` is a sentence for people."""

    mismatch: Mismatch | None
    explanation: str

    @property
    def ok(self) -> bool:
        return self.mismatch is None
