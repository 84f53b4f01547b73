"""The deny rules, and a corpus of hostile destinations that must not cost a single TCP connect."""

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.egress import Egress, EgressError
from receiver.guard import DENIED, refuse_address, refuse_headers, refuse_url

LOOPBACK = [ip_network("127.0.0.0/8")]

# URLs that can be refused before any name is resolved, with a word of the reason.
HOSTILE_URLS = [
    # plain literals
    ("http://127.0.0.1/", "loopback"),
    ("http://127.0.0.1:8414/v1/jobs", "loopback"),
    ("http://127.255.255.254/", "loopback"),
    ("http://0.0.0.0/", "this network"),
    ("http://10.0.0.1/", "private"),
    ("http://172.31.255.255/", "private"),
    ("http://192.168.1.1/", "private"),
    ("http://169.254.169.254/latest/meta-data/", "cloud metadata"),
    ("http://100.100.100.200/latest/meta-data/", "cloud metadata"),
    ("http://168.63.129.16/", "Azure"),
    ("http://255.255.255.255/", "broadcast"),
    ("http://[::1]/", "loopback"),
    ("http://[::]:80/", "unspecified"),
    ("http://[::ffff:127.0.0.1]/", "IPv4-mapped"),
    ("http://[::ffff:a9fe:a9fe]/", "IPv4-mapped"),
    ("http://[::ffff:8.8.8.8]/", "IPv4-mapped"),
    ("http://[::127.0.0.1]/", "IPv4-compatible"),
    ("http://[0:0:0:0:0:ffff:7f00:1]/", "IPv4-mapped"),
    ("http://[2002:7f00:1::]/", "6to4"),
    ("http://[64:ff9b::a9fe:a9fe]/", "NAT64"),
    ("http://[fd00:ec2::254]/latest/", "cloud metadata"),
    ("http://[fe80::1]/", "link-local"),
    # addresses in disguise
    ("http://2130706433/", "disguise"),
    ("http://0x7f000001/", "disguise"),
    ("http://0x7f.1/", "disguise"),
    ("http://017700000001/", "disguise"),
    ("http://0177.0.0.1/", "disguise"),
    ("http://127.1/", "disguise"),
    ("http://127.0.1/", "disguise"),
    ("http://127.0.0.1./", "disguise"),
    ("http://0/", "disguise"),
    ("http://0x/", "disguise"),
    ("http://127.0.0.0x1/", "disguise"),
    ("http://0xa9.0xfe.0xa9.0xfe/", "disguise"),
    ("http://425.510.425.510/", "disguise"),
    ("http://2852039166/", "disguise"),
    ("http://127.000.000.001/", "disguise"),
    ("http://①②⑦.⓪.⓪.①/", "disguise"),
    ("http://１２７.0.0.1/", "disguise"),
    ("http://127。0。0。1/", "disguise"),
    ("http://127%2e0%2e0%2e1/", "not a host name"),
    ("http://%6c%6f%63alhost/", "not a host name"),
    ("http://[fe80::1%25eth0]/", "cannot be read"),
    ("http://[fe80::1%eth0]/", "cannot be read"),
    ("http://[127.0.0.1]/", "host"),
    ("http://[::1].example.com/", "cannot be read"),
    ("http://[v1.a]/", "host"),
    ("http://::1/", "cannot be read"),
    # names that mean an address
    ("http://localhost/", "loopback"),
    ("http://LOCALHOST./", "loopback"),
    ("http://ｌocalhost/", "loopback"),
    ("http://evil.localhost/", "loopback"),
    ("http://localhost.localdomain/", "loopback"),
    ("http://ip6-localhost/", "loopback"),
    ("http://metadata.google.internal/computeMetadata/v1/", "cloud metadata"),
    # userinfo, parser confusion, schemes
    ("http://example.com@127.0.0.1/", "user name"),
    ("http://user:secret@example.com/", "user name"),
    ("http://127.0.0.1\\@example.com/", "backslash"),
    ("http:\\\\127.0.0.1/", "backslash"),
    ("http://127.0.0.1#@example.com/", "fragment"),
    ("http://example.com/#top", "fragment"),
    ("http://example.com/\r\nX-Injected: 1", "whitespace"),
    ("http://exa\tmple.com/", "whitespace"),
    ("http://example.com/a b", "whitespace"),
    (" http://127.0.0.1/", "whitespace"),
    ("http://example.com\x00.evil.com/", "invisible"),
    ("http://local\u200bhost/", "invisible"),
    ("http://local\u00adhost/", "invisible"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://127.0.0.1:6379/_FLUSHALL", "scheme"),
    ("ftp://example.com/", "scheme"),
    ("dict://127.0.0.1:11211/", "scheme"),
    ("unix:///var/run/docker.sock", "scheme"),
    ("javascript:alert(1)", "scheme"),
    ("//127.0.0.1/", "scheme"),
    ("127.0.0.1", "scheme"),
    ("", "scheme"),
    ("http:127.0.0.1", "no host"),
    ("http:///127.0.0.1", "no host"),
    ("http://", "no host"),
    ("http://./", "not a host name"),
    ("http://a..b/", "not a host name"),
    ("http://example.com../", "not a host name"),
    ("http://" + "a" * 64 + ".com/", "not a host name"),
    ("http://exa$mple.com/", "not a host name"),
    ("http://example.com/" + "a" * 2048, "longer than"),
    # ports
    ("http://example.com:22/", "SSH"),
    ("http://example.com:00025/", "SMTP"),
    ("http://8.8.8.8:53/", "DNS"),
    ("https://example.com:6379/", "Redis"),
    ("http://example.com:5432/", "PostgreSQL"),
    ("http://example.com:0/", "port"),
    ("http://example.com:65536/", "port"),
    ("http://example.com:0000000022/", "port"),
    ("http://example.com:-1/", "port"),
    ("http://example.com:٢٢/", "port"),
    ("http://example.com:80:80/", "port"),
]

# Addresses that a resolver may answer with, and the name of the rule that refuses them.
HOSTILE_ADDRESSES = [
    ("0.0.0.0", "this network"),
    ("0.1.2.3", "this network"),
    ("10.255.255.255", "private"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("100.100.100.200", "cloud metadata"),
    ("127.0.0.1", "loopback"),
    ("127.53.0.1", "loopback"),
    ("168.63.129.16", "cloud host services"),
    ("169.254.0.1", "link-local"),
    ("169.254.169.254", "cloud metadata"),
    ("169.254.170.2", "cloud metadata"),
    ("172.16.0.1", "private"),
    ("192.0.0.8", "IETF protocol assignments"),
    ("192.0.0.192", "cloud metadata"),
    ("192.0.2.1", "documentation"),
    ("192.31.196.1", "AS112"),
    ("192.52.193.1", "AMT relay"),
    ("192.88.99.1", "6to4 relay"),
    ("192.168.255.255", "private"),
    ("192.175.48.1", "AS112"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::7f00:1", "IPv4-compatible IPv6"),
    ("::8.8.8.8", "IPv4-compatible IPv6"),
    ("::ffff:127.0.0.1", "IPv4-mapped IPv6"),
    ("::ffff:8.8.8.8", "IPv4-mapped IPv6"),
    ("::ffff:0:127.0.0.1", "IPv4-translated IPv6"),
    ("64:ff9b::a9fe:a9fe", "NAT64"),
    ("64:ff9b:1::7f00:1", "NAT64"),
    ("100::1", "discard only"),
    ("100:0:0:1::1", "dummy prefix"),
    ("2001::1", "Teredo"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "IETF protocol assignments"),
    ("2001:1ff:ffff::1", "IETF protocol assignments"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::", "6to4"),
    ("2002:808:808::1", "6to4"),
    ("2620:4f:8000::1", "AS112"),
    ("3ffe::1", "6bone, retired"),
    ("3fff:fff::1", "documentation"),
    ("5f00::1", "segment routing"),
    ("fc00::1", "unique local"),
    ("fd00:ec2::254", "cloud metadata"),
    ("fd20:ce::254", "cloud metadata"),
    ("fdff::1", "unique local"),
    ("fe80::1", "link-local"),
    ("fe80::1%1", "link-local"),
    ("febf::1", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("200::1", "outside global unicast"),
    ("4000::1", "outside global unicast"),
    ("9000::1", "outside global unicast"),
]

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
        ("SVIX-Signature", "x", "reserved"),
        ("Postback-Attempt", "1", "reserved"),
        ("Proxy-Authorization", "x", "reserved"),
        ("Content-Type", "text/plain", "reserved"),
        ("content-length", "1", "reserved"),
        ("Host", "evil", "reserved"),
        ("Transfer-Encoding", "chunked", "reserved"),
        ("Connection", "close", "reserved"),
    ],
)
def test_bad_headers_are_refused(name: str, value: str, says: str) -> None:
    assert list(refuse_headers({name: value})) == [name]
    assert says in refuse_headers({name: value})[name]


def test_a_header_given_twice_is_refused() -> None:
    assert refuse_headers({"X-A": "1", "x-a": "2"}) == {"x-a": "the name is given twice"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that must see nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def assert_nobody_came(server: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        server.accept()


@pytest.mark.anyio
async def test_the_whole_corpus_costs_no_connect(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[object] = []

    async def sock_connect(sock: socket.socket, address: object) -> None:
        dialled.append(address)
        raise ConnectionRefusedError(111, "refused by the test")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", sock_connect)
    port = listener.getsockname()[1]
    answers = {f"host{number}.test": address for number, (address, _) in enumerate(HOSTILE_ADDRESSES)}
    asked: list[str] = []

    async def resolver(host: str) -> list[str]:
        asked.append(host)
        return [answers[host]]

    urls = [url for url, _ in HOSTILE_URLS] + [f"http://127.0.0.1:{port}/", f"http://0.0.0.0:{port}/"]
    urls += [f"http://{host}:{port}/" for host in answers]
    assert len(urls) >= 60
    egress = Egress([], 2000, resolver=resolver)
    for url in urls:
        with pytest.raises(EgressError) as caught:
            await egress.post(url, {}, b"{}")
        assert caught.value.error_class == "guard", url
    await egress.close()
    assert asked == list(answers)
    assert dialled == []
    assert_nobody_came(listener)

    control = Egress(LOOPBACK, 2000, resolver=resolver)
    with pytest.raises(EgressError, match="refused"):
        await control.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    await control.close()
    assert dialled == [("127.0.0.1", port)]


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1", "localhost"])
async def test_the_socket_refuses_even_if_the_url_got_through(
    host: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.egress.refuse_url", lambda url, allowed: None)
    egress = Egress([], 2000)
    with pytest.raises(EgressError) as caught:
        await egress.post(f"http://{host}:{listener.getsockname()[1]}/", {}, b"{}")
    assert caught.value.error_class == "guard"
    await egress.close()
    assert_nobody_came(listener)
