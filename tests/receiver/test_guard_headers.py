"""Headers that nobody may send, and those that no subscriber may set."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from receiver.guard import MAX_HEADER_VALUE, MAX_HEADERS, refuse_header, refuse_headers, sendable


def test_good_headers_pass() -> None:
    assert (
        refuse_headers({"Authorization": "Bearer x", "X-Tenant": "a\tb", "user-agent": "ours", "Cookie": "a=b"}) == {}
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("X-A", "a\r\nX-B: b", "line break"),
        ("X-A", "a\nb", "line break"),
        ("X-A", "a\n", "line break"),
        ("X-A", "a\x00", "line break"),
        ("X-A", "é", "not ASCII"),
        ("X-A", "a" * 4097, "longer than"),
        ("X A", "a", "token"),
        ("X-A:", "a", "token"),
        ("X-A\r\n", "a", "token"),
        (":authority", "a", "token"),
        ("", "a", "token"),
        ("X-É", "a", "token"),
        ("Webhook-Signature", "v1,x", "reserved"),
        ("webhook-id", "x", "reserved"),
        ("webhook_signature", "v1,x", "reserved"),
        ("Svix_Id", "x", "reserved"),
        ("content_length", "1", "reserved"),
        ("SVIX-Signature", "x", "reserved"),
        ("Postback-Attempt", "1", "reserved"),
        ("Proxy-Authorization", "x", "reserved"),
        ("Content-Type", "text/plain", "reserved"),
        ("content-length", "1", "reserved"),
        ("Host", "evil", "reserved"),
        ("Traceparent", "00-1-2-01", "reserved"),
        ("Transfer-Encoding", "chunked", "reserved"),
        ("Connection", "close", "reserved"),
    ],
)
def test_bad_headers_are_refused(name: str, value: str, says: str) -> None:
    assert list(refuse_headers({name: value})) == [name]
    assert says in refuse_headers({name: value})[name]


def test_a_header_given_twice_is_refused() -> None:
    assert refuse_headers({"X-A": "1", "x-a": "2"}) == {"x-a": "the name is given twice"}


def test_so_many_headers_and_no_more() -> None:
    names = [f"X-{number}" for number in range(MAX_HEADERS + 2)]
    refused = refuse_headers(dict.fromkeys(names, "a"))
    assert list(refused) == names[MAX_HEADERS:]
    assert "at most 32 headers" in refused[names[-1]]


PIECES = st.text(st.sampled_from("aZ9-_: \t\r\n\x00é=\x7f"), max_size=12)


@given(st.dictionaries(PIECES, PIECES, max_size=4))
@example({"a": "b\r\nc: d"})
@example({"a: b": "c"})
@example({"a": "b" * MAX_HEADER_VALUE})
def test_what_may_be_sent_at_a_glance_may_be_sent_one_by_one(headers: dict[str, str]) -> None:
    good = all(refuse_header(name, value) is None for name, value in headers.items())
    assert sendable(headers) is good


def test_what_is_long_only_together_is_looked_at_one_by_one() -> None:
    headers = {"a": "b" * MAX_HEADER_VALUE, "c": "d"}
    assert not sendable(headers)
    assert all(refuse_header(name, value) is None for name, value in headers.items())
