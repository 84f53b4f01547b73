"""Durations as people write them: `500ms`, `15s`, `1.5h`, `30d`. Inside Postback they are integer milliseconds."""

import re

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FORM = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)\s*(ms|s|m|h|d)", re.ASCII)


def parse(text: str) -> int:
    """Milliseconds in `text`: a number and a unit, or a bare `0`. Raises `ValueError` saying which forms it accepts."""
    text = text.strip()
    if text == "0":
        return 0
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, such as 500ms, 15s, 5m, 2h or 30d")
    number, unit = form.groups()
    return round(float(number) * _UNITS[unit])


def render(ms: int) -> str:
    """`ms` exactly, in the largest unit that divides it: `90s`, `5m`, `30d`; 0 is `0s`, and one day `24h`."""
    if ms == 0:
        return "0s"
    units = [(unit, size) for unit, size in _UNITS.items() if ms % size == 0 and (unit != "d" or ms > size)]
    unit, size = units[-1]
    return f"{ms // size}{unit}"
