"""Moments and spans as people read them, in UTC."""

from datetime import UTC, date, datetime


def moment(text: str) -> datetime:
    """The moment that the API writes so."""
    return datetime.fromisoformat(text).astimezone(UTC)


def clock(at: datetime, day: date) -> str:
    """`12:00:00.209`, and on another day than that one `02-01 12:00:00`."""
    if at.date() == day:
        return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
    return f"{at:%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """`46ms`, `2.3s`, `5m 02s`, `2h 10m`, `3d 4h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours == 0:
        return f"{minutes}m {whole % 60:02}s"
    if days == 0:
        return f"{hours}h {minutes % 60:02}m"
    return f"{days}d {hours % 24}h"


def until(at: datetime, now: datetime) -> str:
    """How long it still is: `in 4m 12s`, or `now`."""
    left = int((at - now).total_seconds())
    if left <= 0:
        return "now"
    return f"in {left}s" if left < 60 else f"in {span(left)}"
