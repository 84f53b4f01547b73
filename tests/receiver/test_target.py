"""Where a URL leads, and how a request to it is written."""

import pytest

from receiver.connections import Origin
from receiver.egress import EgressError
from receiver.target import target


def test_how_a_request_is_written() -> None:
    to = target("https://hook.example:8443/a%2fb?c=%41", ())
    written = to.request("POST", {"content-type": "application/json", "User-agent": "mine"}, b"{}")
    head, _, body = written.partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.split(b"\r\n") == [
        b"POST /a%2fb?c=%41 HTTP/1.1",
        b"Host: hook.example:8443",
        b"Accept: */*",
        b"Accept-Encoding: identity",
        b"content-type: application/json",
        b"User-agent: mine",
        b"Content-Length: 2",
    ]
    assert b"Content-Length: 0" in to.request("POST", {}, b"")
    assert b"Content-Length" not in to.request("GET", {})


@pytest.mark.parametrize(
    ("url", "shown", "host", "origin"),
    [
        ("http://hook.example", "http://hook.example", "hook.example", Origin(False, "hook.example", 80)),
        ("https://hook.example:443/", "https://hook.example", "hook.example", Origin(True, "hook.example", 443)),
        ("http://hook.example:80/?", "http://hook.example", "hook.example", Origin(False, "hook.example", 80)),
        ("http://[2606:4700::1]/", "http://[2606:4700::1]", "[2606:4700::1]", Origin(False, "2606:4700::1", 80)),
        ("https://bücher.example/", "https://xn--bcher-kva.example", "xn--bcher-kva.example",
         Origin(True, "xn--bcher-kva.example", 443)),
    ],
)  # fmt: skip
def test_where_a_url_leads(url: str, shown: str, host: str, origin: Origin) -> None:
    read = target(url, ())
    assert (read.shown, read.host, read.origin) == (shown, host, origin)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://h.example", "/"),
        ("http://h.example?", "/?"),
        ("http://h.example/?", "/?"),
        ("http://h.example?a=b", "/?a=b"),
        ("http://h.example//a//../b", "//a//../b"),
        ("http://h.example/a?b?c/d://e", "/a?b?c/d://e"),
        ("http://h.example/ä?ö", "/%C3%A4?%C3%B6"),
    ],
)
def test_a_path_is_sent_as_it_was_given(url: str, path: str) -> None:
    assert target(url, ()).path == path


HEADERS = [
    ("x-a", "a\r\nx-b: c"),
    ("x-a: b\r\nx-c", "d"),
    ("x-a", "a\nb"),
    ("x-a", "a\x00b"),
    ("x a", "b"),
    ("", "b"),
    ("x-a", "é"),
]


@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_a_header_cannot_hide_another(name: str, value: str) -> None:
    with pytest.raises(EgressError, match="a header cannot be sent"):
        target("https://hook.example/", ()).request("POST", {"x-good": "1", name: value}, b"")
