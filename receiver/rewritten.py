"""A body that something rewrote on its way: what it may have been before."""

import base64
import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ledger.jsontext import encoded
from providers.jsontext import BadJson, loads

_BOM = b"\xef\xbb\xbf"

_ON_ONE_LINE: list[tuple[int | str | None, tuple[str, str]]] = [(None, (",", ":")), (None, (", ", ": "))]
_INDENTED: list[tuple[int | str | None, tuple[str, str]]] = [(2, (",", ": ")), (4, (",", ": ")), ("\t", (",", ": "))]
"""What `json.dumps` takes as `indent` and `separators`."""

_INDENTED_UP_TO = 32_000
"""Bytes: indenting is done in Python, and slow. Postback never indents; others, and people's tests, may."""

_JSON = "it was parsed as JSON and written anew"


def originals(body: bytes) -> Iterator[tuple[bytes, str]]:
    """Bodies from which the usual accidents make this one, each with the words that say what happened.

    The same body may come more than once, and the body itself too; none takes long even for one of 256 KB.
    """
    yield from _line_ends(body)
    yield from _wrapped(body)
    yield from _rewritten_json(body)


def is_ours(body: bytes) -> bool:
    """Whether a body is written as Postback writes: compact JSON whose first key is `type`."""
    try:
        value = loads(body)
    except BadJson:
        return False
    return isinstance(value, dict) and next(iter(value), None) == "type" and encoded(value) == body


def _line_ends(body: bytes) -> Iterator[tuple[bytes, str]]:
    for end in (b"\r\n", b"\n"):
        if body.endswith(end):
            yield body.removesuffix(end), "a newline was added at its end"
    yield body.strip(), "white space was added around it"
    yield body + b"\n", "the newline at its end was cut off"
    yield body + b"\r\n", "the newline at its end was cut off"
    yield body.replace(b"\r\n", b"\n"), "its line ends were turned into CRLF"
    yield body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), "its line ends were turned from CRLF into LF"
    yield body.removeprefix(_BOM), "a byte order mark was put before it"
    yield body.removeprefix(_BOM).strip(), "a byte order mark and white space were put around it"
    yield _BOM + body, "the byte order mark before it was cut off"


def _wrapped(body: bytes) -> Iterator[tuple[bytes, str]]:
    for encoding in ("latin-1", "cp1252"):
        try:
            yield body.decode().encode(encoding), "its UTF-8 was read in another character set, such as Latin-1"
        except UnicodeError:
            continue
    with suppress(ValueError):
        yield base64.b64decode(body.strip(), validate=True), "it was turned into base64, which has to be decoded first"
    inside = _parsed(body)
    if isinstance(inside, str):
        yield inside.encode("utf-8", "surrogatepass"), "it was put into a JSON string"


def _rewritten_json(body: bytes) -> Iterator[tuple[bytes, str]]:
    value = _parsed(body)
    if not isinstance(value, (dict, list)):
        return
    styles = _ON_ONE_LINE + (_INDENTED if len(body) <= _INDENTED_UP_TO else [])
    for sort_keys, ascii, (indent, separators) in itertools.product((False, True), (False, True), styles):
        try:
            text = json.dumps(value, ensure_ascii=ascii, indent=indent, separators=separators, sort_keys=sort_keys)
        except (ValueError, RecursionError):
            return
        for written, end in itertools.product((text, text.replace("/", r"\/")), ("", "\n")):
            yield (written + end).encode("utf-8", "surrogatepass"), _JSON


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.removeprefix(_BOM))
    except (ValueError, RecursionError):
        return None
