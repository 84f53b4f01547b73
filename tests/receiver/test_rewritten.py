import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.rewritten import is_ours, originals

EVENT = {"type": "job.succeeded", "data": {"url": "https://a.example/1.png", "prompt": "一只猫 🐈", "count": 2}}
OURS = json.dumps(EVENT, ensure_ascii=False, separators=(",", ":")).encode()
PRETTY = json.dumps(EVENT, indent=2, ensure_ascii=False).encode()


def found(original: bytes, arrived: bytes) -> str:
    """What is said to have happened; the first sentence counts."""
    return next((says for body, says in originals(arrived) if body == original), "nothing known")


ACCIDENTS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("a newline was added", lambda body: body + b"\n"),
    ("a newline was added", lambda body: body + b"\r\n"),
    ("white space was added", lambda body: b" \n" + body + b"\n \n"),
    ("byte order mark", lambda body: b"\xef\xbb\xbf" + body),
    ("byte order mark", lambda body: b"\xef\xbb\xbf" + body + b"\n"),
    ("Latin-1", lambda body: body.decode("latin-1").encode()),
    ("base64", base64.b64encode),
    ("base64", lambda body: base64.b64encode(body) + b"\n"),
    ("a JSON string", lambda body: json.dumps(body.decode()).encode()),
    ("written anew", lambda body: json.dumps(json.loads(body)).encode()),
    ("written anew", lambda body: json.dumps(json.loads(body), ensure_ascii=False).encode()),
    ("written anew", lambda body: json.dumps(json.loads(body), separators=(",", ":")).encode()),
    ("written anew", lambda body: json.dumps(json.loads(body), indent=4).encode() + b"\n"),
    ("written anew", lambda body: body.replace(b"/", rb"\/")),
]


@pytest.mark.parametrize(("says", "accident"), ACCIDENTS)
def test_the_accident_is_found(says: str, accident: Callable[[bytes], bytes]) -> None:
    assert accident(OURS) != OURS
    assert says in found(OURS, accident(OURS))


@pytest.mark.parametrize(
    ("original", "arrived", "says"),
    [
        (OURS + b"\n", OURS, "was cut off"),
        (PRETTY, PRETTY.replace(b"\n", b"\r\n"), "into CRLF"),
        (PRETTY.replace(b"\n", b"\r\n"), PRETTY, "into LF"),
        (b"\xef\xbb\xbf" + OURS, OURS, "mark before it was cut off"),
        (PRETTY, OURS, "written anew"),
        (json.dumps(EVENT, sort_keys=True).encode(), OURS, "written anew"),
        (OURS, b"", "nothing known"),
        (OURS, OURS.replace(b"2", b"3"), "nothing known"),
    ],
)
def test_other_originals(original: bytes, arrived: bytes, says: str) -> None:
    assert says in found(original, arrived)


def test_large_bodies_are_not_indented() -> None:
    large = json.dumps(["x" * 40_000], separators=(",", ":")).encode()
    assert found(large, large.replace(b"[", b"[ ")) != "nothing known"
    assert all(body.count(b"\n") < 2 for body, _ in originals(large))


def test_what_is_ours() -> None:
    assert is_ours(OURS)
    for body in (PRETTY, OURS + b"\n", b"[]", b"", b"\xff", b'{"data":{},"type":"x"}', b"[" * 100_000):
        assert not is_ours(body)


@given(st.binary() | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(lambda value: _json(value)))
def test_any_body(body: bytes) -> None:
    for original, says in originals(body):
        assert isinstance(original, bytes)
        assert says


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
