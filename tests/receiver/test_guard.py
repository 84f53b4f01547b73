"""The deny rules, over a corpus of hostile URLs and addresses."""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from receiver.guard import DENIED, refuse_address, refuse_url
from tests.receiver.corpus import HOSTILE_ADDRESSES, HOSTILE_URLS

LOOPBACK = [ip_network("127.0.0.0/8")]

PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111"]


@pytest.mark.parametrize(("address", "name"), HOSTILE_ADDRESSES)
def test_denied_addresses_name_their_rule(address: str, name: str) -> None:
    refusal = refuse_address(ip_address(address), [])
    assert refusal is not None
    assert f" is {name} (" in refusal


def test_every_rule_has_an_address_in_the_corpus() -> None:
    seen = {name for _, name in HOSTILE_ADDRESSES}
    assert {rule.name for rule in DENIED} == seen


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert refuse_address(ip_address(address), []) is None


def test_allowed_networks_win() -> None:
    allowed = [ip_network("127.0.0.0/8"), ip_network("fd12::/16")]
    assert refuse_address(ip_address("127.0.0.1"), allowed) is None
    assert refuse_address(ip_address("::ffff:127.0.0.1"), allowed) is None
    assert refuse_address(ip_address("fd12::1"), allowed) is None
    assert refuse_address(ip_address("::ffff:10.0.0.1"), allowed) is not None
    assert refuse_address(ip_address("::127.0.0.1"), allowed) is not None
    assert refuse_address(ip_address("10.0.0.1"), allowed) is not None


@pytest.mark.parametrize(("url", "says"), HOSTILE_URLS)
def test_hostile_urls_are_refused_at_save(url: str, says: str) -> None:
    refusal = refuse_url(url, [])
    assert refusal is not None
    assert says in refusal


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/hook?token=a%2Fb&x=1",
        "http://example.com:8080/hook",
        "HTTPS://Example.COM./hook",
        "https://example.com:/hook",
        "https://my_host.example-1.co.uk:8443/",
        "https://例子.测试/钩子",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]:443/",
        "https://1.2.3.4.example.com/",
        "https://0x7f.example/",
        "https://localhost.example.com/",
        "https://example.com/a@b?c=d@e",
    ],
)
def test_good_urls_pass(url: str) -> None:
    assert refuse_url(url, []) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:3000/",
        "http://127.0.0.1:6379/",
        "http://localhost:5432/hook",
        "http://app.localhost/",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_allowed_networks_open_their_literals_on_any_port(url: str) -> None:
    assert refuse_url(url, []) is not None
    assert refuse_url(url, LOOPBACK) is None


@pytest.mark.parametrize("url", ["http://127.1/", "http://2130706433/", "http://[::1]/", "http://10.0.0.1/"])
def test_allowed_networks_open_nothing_else(url: str) -> None:
    assert refuse_url(url, LOOPBACK) is not None


@given(st.sampled_from(["", "http://", "https://h/", "http://h:", "http://[", "http://a."]), st.text())
def test_judging_a_url_never_raises(start: str, text: str) -> None:
    assert refuse_url(start + text, []) != ""


def test_refusals_never_quote_path_or_query() -> None:
    for host in ("10.0.0.1", "127.1", "a..b", "u:p@example.com", "example.com:22", "localhost"):
        for url in (f"http://{host}/canary?canary", f"http://{host}/canary#canary", f"x://{host}/canary"):
            assert "canary" not in (refuse_url(url, []) or "")


_HOSTS = st.lists(
    st.sampled_from(
        [*"@:[]%.\\/?#;,-_ \t", "127.0.0.1", "::1", "localhost", "example.com", "0x7f", "ß", "。", "％", "80"]
    ),
    max_size=8,
).map("".join)


@given(
    st.sampled_from(["http://", "HTTPS://", "http:", "http:/", "//"]), _HOSTS, st.sampled_from(["", "/", "/@b", "?@b"])
)
def test_what_passes_means_the_same_host_to_the_client(scheme: str, host: str, rest: str) -> None:
    url = scheme + host + rest
    if refuse_url(url, LOOPBACK) is None:
        dialled, judged = URL(url, encoded=url.isascii()), urlsplit(url)
        assert (dialled.scheme, dialled.user, dialled.password) == (judged.scheme, None, None)
        assert dialled.explicit_port == judged.port
        assert not url.isascii() or dialled.raw_host == judged.hostname


def test_the_corpus_is_large() -> None:
    assert len({url for url, _ in HOSTILE_URLS}) == len(HOSTILE_URLS) > 120
    assert len({address for address, _ in HOSTILE_ADDRESSES}) == len(HOSTILE_ADDRESSES) >= 60
