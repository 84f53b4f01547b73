"""Downloading, from a host on this machine that may misbehave."""

import hashlib
from ipaddress import ip_network
from pathlib import Path

import pytest

from ledger.copies import Copy
from receiver.download import MAX_REDIRECTS, NotCopied, download
from receiver.egress import Egress

from .host import PNG, Answer, Host, answer, cut, dripping, endless

pytestmark = pytest.mark.anyio

LIMIT = 100_000


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    return tmp_path / "drafts" / "art_1"


async def refused(egress: Egress, url: str, draft: Path, limit: int = LIMIT) -> NotCopied:
    with pytest.raises(NotCopied) as caught:
        await download(egress, url, draft, limit)
    assert "canary" not in caught.value.reason
    return caught.value


async def test_an_image(egress: Egress, host: Host, draft: Path) -> None:
    url = host.gives("/a.png?canary=%2f", answer(content_type="text/html"))
    assert await download(egress, url, draft, LIMIT) == Copy("image/png", len(PNG), hashlib.sha256(PNG).hexdigest())
    assert draft.read_bytes() == PNG
    assert draft.stat().st_mode & 0o777 == 0o600
    assert host.heard[0].startswith("GET /a.png?canary=%2f HTTP/1.1\r\n")
    assert "accept-encoding: identity" in host.heard[0].lower()


async def test_a_draft_of_an_earlier_try_is_replaced(egress: Egress, host: Host, draft: Path) -> None:
    draft.parent.mkdir()
    draft.write_bytes(b"x" * 10_000)
    await download(egress, host.gives("/a.png"), draft, LIMIT)
    assert draft.read_bytes() == PNG


async def test_an_unknown_file_is_kept_as_bytes(egress: Egress, host: Host, draft: Path) -> None:
    url = host.gives("/a.bin", answer(b"\x00\x01", content_type="image/png"))
    assert (await download(egress, url, draft, LIMIT)).media_type == "application/octet-stream"


async def test_exactly_as_large_as_may_be(egress: Egress, host: Host, draft: Path) -> None:
    url = host.gives("/a.png")
    assert (await download(egress, url, draft, len(PNG))).size == len(PNG)
    failure = await refused(egress, url, draft, len(PNG) - 1)
    assert (failure.reason, failure.final) == (f"the image has more than {len(PNG) - 1} bytes", True)


@pytest.mark.parametrize(
    ("said", "reason", "final"),
    [
        (answer(b"", 404), "the answer is HTTP 404", False),
        (answer(b"", 410), "the answer is HTTP 410", True),
        (answer(PNG, 206), "the answer is HTTP 206", False),
        (answer(b"<h1>", 503), "the answer is HTTP 503", False),
        (answer(b"", 304), "the answer is HTTP 304", False),
        (answer(b"", 302), "the answer is HTTP 302", False),
        (answer(b""), "the answer is empty", False),
        (answer(b"<!doctype html><p>Moved"), "the answer is a web page, not an image", False),
        (answer(content_encoding="gzip"), "the answer is compressed, which was not asked for", False),
        (endless, f"the image has more than {LIMIT} bytes", True),
        (cut, "the answer ended early or is malformed", False),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the answer cannot be read as HTTP: ", False),
        (answer(b"", 302, location="http://["), "it was redirected to what is no URL", False),
        (answer(b"", 302, location="ftp://a/b"), "the URL's scheme is not https or http", True),
        (answer(b"", 302, location="http://10.0.0.1/canary"), "10.0.0.1 is private", True),
        (answer(b"", 307, location="?canary"), f"it was redirected more than {MAX_REDIRECTS} times", False),
    ],
)
async def test_what_is_not_copied(
    egress: Egress, host: Host, draft: Path, said: Answer, reason: str, final: bool
) -> None:
    host.gives("/a.png?canary", said)
    failure = await refused(egress, host.gives("/a.png", said), draft)
    assert reason in failure.reason
    assert failure.final is final


async def test_redirects_are_followed(egress: Egress, host: Host, draft: Path) -> None:
    host.gives("/there/b.png")
    host.gives("/there/a.png", answer(b"moved", 301, location="b.png"))
    url = host.gives("/a.png", answer(b"", 302, location=host.url("/there/a.png", "localhost")))
    assert (await download(egress, url, draft, LIMIT)).media_type == "image/png"
    assert host.asked == ["/a.png", "/there/a.png", "/there/b.png"]


async def test_a_dripping_host_is_left_at_the_deadline(host: Host, draft: Path) -> None:
    egress = Egress([ip_network("127.0.0.0/8")], 200)
    try:
        failure = await refused(egress, host.gives("/a.png", dripping), draft)
    finally:
        await egress.close()
    assert failure.reason == f"http://127.0.0.1:{host.port}: connected, but no complete answer within 200 ms"
    assert not failure.final


async def test_private_addresses_are_refused_for_good(host: Host, draft: Path) -> None:
    egress = Egress([], 1_000)
    try:
        for name in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433"):
            failure = await refused(egress, host.url("/canary", name), draft)
            assert failure.final, name
    finally:
        await egress.close()
    assert not host.heard
    assert not draft.exists()


async def test_a_draft_that_cannot_be_written(egress: Egress, host: Host, tmp_path: Path) -> None:
    (tmp_path / "drafts").write_text("in the way")
    failure = await refused(egress, host.gives("/a.png"), tmp_path / "drafts" / "art_1")
    assert failure.reason.startswith("the copy could not be written: ")
    assert not failure.final
