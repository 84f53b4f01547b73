"""Times as people write them. Pure."""

from datetime import UTC, datetime

from postback import durations


def read(text: str, now: int) -> int:
    """Milliseconds of `2026-01-31`, `2026-01-31T12:00Z`, or `2h` for two hours ago; without a zone it is UTC.

    Raises ValueError, its message for a person.
    """
    try:
        return now - durations.parse(text)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)
    except (ValueError, OverflowError):
        raise ValueError("write 2026-01-31, 2026-01-31T12:00Z, or 2h for two hours ago") from None
