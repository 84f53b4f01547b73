"""Numbers and times as people read them. Pure."""

from ledger.clock import DAY, HOUR, MINUTE, SECOND

_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))

TONES = {
    "good": ("succeeded", "delivered", "accepted", "stored", "enabled", "healthy"),
    "bad": ("failed", "dead", "lost", "invalid"),
    "warn": ("unconfirmed", "conflicting", "skipped", "disabled", "paused", "probing", "failing"),
    "busy": ("submitting", "running", "delivering", "progress", "copying"),
    "calm": ("queued", "pending", "canceled", "duplicate", "discarded", "revoked"),
}
"""How a state is coloured. The word stands beside the colour always."""

_TONE_OF = {state: tone for tone, states in TONES.items() for state in states}


def tone(state: str) -> str:
    """The tone of a state; `calm` for one that has none."""
    return _TONE_OF.get(state, "calm")


def number(value: float) -> str:
    """`1,234`; with one decimal below ten unless whole."""
    if isinstance(value, int) or value >= 10 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"


def percent(part: float, whole: float) -> str:
    """`98.7 %`, never `100 %` where something is missing, nor `0 %` where there is something."""
    share = 100 * part / whole
    if part == whole or part == 0:
        return f"{share:.0f} %"
    return f"{min(max(share, 0.1), 99.9):.1f} %"


def duration(milliseconds: float) -> str:
    """`340 ms`, `1.2 s`, `4 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if milliseconds < SECOND:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 10 * SECOND:
        return f"{milliseconds / SECOND:.1f} s"
    left = round(milliseconds / SECOND) * SECOND
    for place, (size, unit) in enumerate(_UNITS):
        if left >= size:
            whole, rest = divmod(left, size)
            smaller, name = _UNITS[place + 1] if place + 1 < len(_UNITS) else (1, "")
            second = rest // smaller if name else 0
            return f"{whole} {unit} {second} {name}" if second else f"{whole} {unit}"
    raise AssertionError("a second or more has a unit")


def distance(milliseconds: int) -> str:
    """How long ago (positive) or ahead (negative): `just now`, `12 s ago`, `5 min ago`, `in 3 h`."""
    size = abs(milliseconds)
    if size < SECOND:
        return "just now"
    unit, name = next((unit, name) for unit, name in _UNITS if size >= unit)
    text = f"{size // unit} {name}"
    return f"{text} ago" if milliseconds > 0 else f"in {text}"


def size(count: int) -> str:
    """`512 B`, `1.5 KiB`, `20 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
