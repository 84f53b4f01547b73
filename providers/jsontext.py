"""JSON as it comes from outside: strict, bounded and unambiguous.

Refused: NaN and infinities (also numbers that overflow to them), duplicate keys, text that is not UTF-8, lone
surrogates, integers of thousands of digits and nesting deeper than `MAX_DEPTH` (RFC 8259 leaves all of these to
the receiver; RFC 7493 advises against them).
"""

import json
from typing import Any, NoReturn

MAX_DEPTH = 100


class BadJson(ValueError):
    """The message says what is wrong, without quoting the text."""


def loads(text: bytes) -> Any:
    """Parses UTF-8 JSON. Raises `BadJson`."""
    try:
        value = _decode(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadJson("the text is not UTF-8") from None
    except RecursionError:
        raise BadJson(f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise BadJson(f"the text is not JSON: {error.msg} at character {error.pos}") from None
    except BadJson:
        raise
    except ValueError:
        raise BadJson("the JSON holds a number that is too long") from None
    # Only an escape can hide half of a pair, and each level has a bracket of its own.
    if b"\\u" in text or text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        _inspect(value, MAX_DEPTH)
    return value


def load_object(text: bytes) -> dict[str, Any]:
    """Parses UTF-8 JSON that must be an object. Raises `BadJson`."""
    value = loads(text)
    if not isinstance(value, dict):
        raise BadJson("the JSON is not an object")
    return value


def dumps(value: Any) -> bytes:
    """Compact UTF-8, prompts in any script as themselves."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BadJson("the JSON has an object with the same key twice")
    return value


def _constant(name: str) -> NoReturn:
    raise BadJson(f"the JSON holds {name}, which is not a number")


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise BadJson("the JSON holds a number that is too large")
    return number


_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float).decode


def _inspect(value: Any, depth: int) -> None:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise BadJson("the JSON holds half of a surrogate pair") from None
        return
    if isinstance(value, (dict, list)):
        if depth == 0:
            raise BadJson(f"the JSON is nested deeper than {MAX_DEPTH} levels")
        for key in value:
            _inspect(key, depth - 1)
        if isinstance(value, dict):
            for item in value.values():
                _inspect(item, depth - 1)
