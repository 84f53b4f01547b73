"""Bodies as people read them: laid out, cut into shown and compared line by line. Pure; never raises.

Numbers stay digit for digit as they came, and a key that is there twice is shown twice. What cannot be laid out is
shown raw only.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

MAX_DEPTH = 100
MAX_SIZE = 256 * 1024
"""Characters of a text that is laid out, and of what becomes of it."""

MAX_LINES = 1_000
"""Lines of a text that is compared."""

AROUND = 3
"""Lines that are the same and shown around those that are not."""


class _Number(str):
    """A number's own digits."""


class _Pairs(list[tuple[str, Any]]):
    """An object's members, in their order."""


class _TooMuch(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Shown:
    """A body: its text as it came, laid out where it is JSON of a bearable size, or `base64` of what is no UTF-8."""

    size: int
    text: str | None
    laid_out: str | None
    base64: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a comparison: `-` only before, `+` only after, a space in both, `…` where lines are left out."""

    mark: Literal["-", "+", " ", "…"]
    text: str


def shown(body: bytes) -> Shown:
    """A body for a person."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return Shown(len(body), None, None, base64.b64encode(body).decode("ascii"))
    return Shown(len(body), text, laid_out(text), None)


def laid_out(text: str, *, sort: bool = False) -> str | None:
    """JSON with a line for each value; with `sort` its keys in order. None for what is none, or too much of it."""
    if len(text) > MAX_SIZE:
        return None
    try:
        return "\n".join(_bounded(_lines(_decode(text), sort)))
    except (ValueError, RecursionError, _TooMuch):
        return None


def difference(before: bytes, after: bytes) -> list[Line] | None:
    """How two bodies differ, laid out with their keys in order; [] if they do not, None if they cannot be compared."""
    old, new = (_comparable(body) for body in (before, after))
    if old is None or new is None:
        return None
    groups = list(SequenceMatcher(None, old, new).get_grouped_opcodes(AROUND))
    lines: list[Line] = []
    seen = 0
    for group in groups:
        if group[0][1] > seen:
            lines.append(Line("…", f"{group[0][1] - seen} lines are the same"))
        for kind, start, end, new_start, new_end in group:
            if kind == "equal":
                lines += [Line(" ", text) for text in old[start:end]]
            else:
                lines += [Line("-", text) for text in old[start:end]]
                lines += [Line("+", text) for text in new[new_start:new_end]]
        seen = group[-1][2]
    if groups and len(old) > seen:
        lines.append(Line("…", f"{len(old) - seen} lines are the same"))
    return lines


def _comparable(body: bytes) -> Sequence[str] | None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    laid = laid_out(text, sort=True)
    lines = (text if laid is None else laid).split("\n")
    return lines if len(lines) <= MAX_LINES and len(text) <= MAX_SIZE else None


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    left = MAX_SIZE
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            raise _TooMuch
        yield line


def _lines(value: Any, sort: bool, indent: int = 0, before: str = "", after: str = "") -> Iterator[str]:
    """A value's lines; `before` stands in front of the first, `after` behind the last."""
    margin = "  " * indent
    if indent > MAX_DEPTH:
        raise _TooMuch
    if not isinstance(value, list) or not value:
        yield f"{margin}{before}{_word(value)}{after}"
        return
    opening, closing = ("{", "}") if isinstance(value, _Pairs) else ("[", "]")
    yield f"{margin}{before}{opening}"
    members = sorted(value, key=lambda pair: pair[0]) if sort and isinstance(value, _Pairs) else value
    for place, member in enumerate(members, 1):
        comma = "," if place < len(members) else ""
        if isinstance(value, _Pairs):
            yield from _lines(member[1], sort, indent + 1, f"{_text(member[0])}: ", comma)
        else:
            yield from _lines(member, sort, indent + 1, "", comma)
    yield f"{margin}{closing}{after}"


def _word(value: Any) -> str:
    match value:
        case _Number():
            return str(value)
        case str():
            return _text(value)
        case _Pairs():
            return "{}"
        case list():
            return "[]"
    return {True: "true", False: "false", None: "null"}[value]


def _text(value: str) -> str:
    said = json.dumps(value, ensure_ascii=False)
    # Half of a surrogate pair has no bytes that a page could be made of.
    return said if _is_whole(said) else json.dumps(value)


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


_decode = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number
).decode
