"""Fields of a provider's JSON, read with suspicion.

Wrong types raise `Unreadable`. Control characters never get through: a database may refuse them (PostgreSQL, NUL)
and a terminal may obey them.
"""

import re
from collections.abc import Mapping
from typing import Any

from providers.protocol import Unreadable

MAX_TASK_ID = 255
MAX_COUNT = 2**31 - 1
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def cleaned(text: str) -> str:
    """The text with U+FFFD for each control character but tab and newline."""
    return _CONTROL.sub("\ufffd", text)


def text_of(fields: Mapping[str, Any], name: str) -> str | None:
    """A string, None where it is missing, null or empty. Raises `Unreadable` for another type."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unreadable(f"its {name} is not a string")
    return cleaned(value) or None


def task_id_of(fields: Mapping[str, Any], name: str = "task_id") -> str | None:
    """An id that is safe in a URL path, a log line and a database. Raises `Unreadable` for any other."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TASK_ID or not value.isprintable():
        raise Unreadable(f"its {name} is not 1 to {MAX_TASK_ID} printable characters")
    if value.strip(".") == "" or value != value.strip():
        raise Unreadable(f"its {name} is not an id")
    return value


def count_of(fields: Mapping[str, Any], name: str) -> int | None:
    """A number of things; None where it is missing or no such number, because nothing hangs on it."""
    value = fields.get(name)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if is_count else None


def object_of(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object. Raises `Unreadable` for anything else, and where it is missing."""
    value = fields.get(name)
    if not isinstance(value, dict):
        raise Unreadable(f"its {name} is not an object" if name in fields else f"it has no {name}")
    return value
