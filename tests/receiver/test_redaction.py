"""What an attempt remembers: no secret, no NUL, and not without end."""

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.redaction import BLANK, CUT, MAX_HEADERS, MAX_HEADERS_BYTES, Redaction

SECRET = "whsec_" + base64.b64encode(b"\xff/secret?of 24 bytes+long").decode()
CUSTOM = {"Authorization": 'Bearer sesame&"open"/<now>', "X-Tenant": "acme", "X-Key": "0123456789abcdef"}


@pytest.fixture
def redaction() -> Redaction:
    return Redaction(CUSTOM, [SECRET, "whsk_private+and/quite=secret"])


def test_custom_headers_keep_their_names_and_ours_their_values(redaction: Redaction) -> None:
    ours = {"content-type": "application/json", "webhook-signature": "v1,abc="}
    assert redaction.request_headers(ours | CUSTOM) == ours | dict.fromkeys(CUSTOM, BLANK)


def test_response_headers_that_are_made_for_secrets(redaction: Redaction) -> None:
    secret = ["set-cookie", "authorization", "proxy-authenticate", "www-authenticate", "x-csrf-token", "x-api-key"]
    secret += ["x-client-secret", "X-Auth-User", "authentication-info"]
    plain = {"content-type": "text/html", "x-request-id": "r-1", "retry-after": "5"}
    received = dict.fromkeys(secret, "canary") | plain
    assert redaction.response_headers(received) == dict.fromkeys(secret, BLANK) | plain


def test_response_headers_that_echo_a_secret(redaction: Redaction) -> None:
    received = {"x-echo": f"was {CUSTOM['X-Key']}, {SECRET}", "x-nul": "a\x00b"}
    assert redaction.response_headers(received) == {"x-echo": "was …, …", "x-nul": "a\ufffdb"}


@pytest.mark.parametrize("secret", [CUSTOM["Authorization"], CUSTOM["X-Key"], SECRET, "whsk_private+and/quite=secret"])
@pytest.mark.parametrize(
    "spelling",
    [str, lambda text: json.dumps(text)[1:-1], lambda text: quote(text, safe=""), html.escape],
    ids=["plain", "json", "url", "html"],
)
def test_echoed_secrets_are_blanked(redaction: Redaction, secret: str, spelling: object) -> None:
    assert callable(spelling)
    for part in (secret, secret.removeprefix("Bearer ").removeprefix("whsec_").removeprefix("whsk_")):
        echo = f"you sent <{spelling(part)}> twice: {spelling(part)}"
        shown = redaction.excerpt(echo.encode(), truncated=False)
        assert spelling(part) not in shown
        assert part[-12:] not in shown
        assert redaction.text(echo) == shown


def test_short_values_are_no_secrets(redaction: Redaction) -> None:
    assert redaction.excerpt(b"unknown tenant acme", truncated=False) == "unknown tenant acme"


def test_an_excerpt_is_text_that_every_database_takes(redaction: Redaction) -> None:
    assert redaction.excerpt(b"\x00\xff no", truncated=True) == "\ufffd\ufffd no" + CUT
    assert redaction.excerpt("café".encode(), truncated=False) == "café"


@pytest.mark.parametrize("length", [8, 15, 16])
def test_a_secret_that_the_end_cuts_in_half_goes_too(redaction: Redaction, length: int) -> None:
    body = b"a 01234567 and " + CUSTOM["X-Key"][:length].encode()
    assert redaction.excerpt(body, truncated=True) == "a 01234567 and …" + CUT
    if length < 16:
        assert redaction.excerpt(body, truncated=False) == body.decode()


def test_so_many_headers_and_no_more(redaction: Redaction) -> None:
    kept = redaction.response_headers({f"x-{number}": "a" for number in range(MAX_HEADERS + 10)})
    assert len(kept) == MAX_HEADERS + 1
    assert kept[BLANK] == "10 more were cut"
    assert BLANK not in redaction.response_headers({f"x-{number}": "a" for number in range(MAX_HEADERS)})


def test_so_many_bytes_of_headers_and_no_more(redaction: Redaction) -> None:
    kept = redaction.response_headers({f"x-{number}": "é" * 1000 for number in range(10)})
    assert list(kept) == ["x-0", "x-1", "x-2", "x-3", BLANK]
    assert sum(len((name + value).encode()) for name, value in kept.items() if name != BLANK) <= MAX_HEADERS_BYTES
    assert kept[BLANK] == "6 more were cut"


def test_a_long_value_is_cut_before_a_secret_can_be_halved(redaction: Redaction) -> None:
    kept = redaction.response_headers({"x-long": "a" * 1012 + CUSTOM["X-Key"] + "b" * 50, "x-short": "c"})
    assert kept == {"x-long": "a" * 1012 + BLANK + CUT, "x-short": "c"}


@given(st.binary(), st.booleans(), st.dictionaries(st.text(), st.text()))
def test_whatever_comes_back_can_be_kept(body: bytes, truncated: bool, headers: dict[str, str]) -> None:
    redaction = Redaction(CUSTOM, [SECRET])
    for text in (redaction.excerpt(body, truncated=truncated), json.dumps(redaction.response_headers(headers))):
        assert "\x00" not in text
        text.encode("utf-8")
    assert "\\u0000" not in json.dumps(redaction.response_headers(headers))
