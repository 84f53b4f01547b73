"""What Postback refuses to send to: rules as data, pure functions to apply them.

A URL that a user gives is judged twice: when it is saved, for what can be known then, and whenever it is dialled, for
the very address of the socket (`receiver/egress.py`). The table is explicit because `ipaddress.is_global` is not a
policy: it says yes to 6to4, NAT64, 168.63.129.16 and others that lead inside.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

MAX_URL = 2048
MAX_HEADER_VALUE = 4096
MAX_HEADERS = 32
"""Headers of a subscriber's own. Servers commonly refuse a request with more than a hundred, ours included."""


class Rule(NamedTuple):
    """One row of the deny table: addresses of `network` are `name`, because `source` says so."""

    network: IPNetwork
    name: str
    source: str


def _rules(table: str) -> Iterator[Rule]:
    for row in table.strip().splitlines():
        network, name, source = (cell.strip() for cell in row.split("|"))
        yield Rule(ip_network(network), name, source)


# The first row that matches names the refusal, so single addresses stand before the networks that hold them.
DENIED = tuple(
    _rules("""
169.254.169.254/32 | cloud metadata              | AWS, Azure, Google Cloud and others
169.254.170.2/32   | cloud metadata              | AWS ECS credentials
100.100.100.200/32 | cloud metadata              | Alibaba Cloud
168.63.129.16/32   | cloud host services         | Azure WireServer
192.0.0.192/32     | cloud metadata              | Oracle Cloud Classic
fd00:ec2::254/128  | cloud metadata              | AWS
fd20:ce::254/128   | cloud metadata              | Google Cloud
255.255.255.255/32 | broadcast                   | RFC 919
0.0.0.0/8          | this network                | RFC 1122
10.0.0.0/8         | private                     | RFC 1918
100.64.0.0/10      | carrier-grade NAT           | RFC 6598
127.0.0.0/8        | loopback                    | RFC 1122
169.254.0.0/16     | link-local                  | RFC 3927
172.16.0.0/12      | private                     | RFC 1918
192.0.0.0/24       | IETF protocol assignments   | RFC 6890
192.0.2.0/24       | documentation               | RFC 5737
192.31.196.0/24    | AS112                       | RFC 7535
192.52.193.0/24    | AMT relay                   | RFC 7450
192.88.99.0/24     | 6to4 relay                  | RFC 7526
192.168.0.0/16     | private                     | RFC 1918
192.175.48.0/24    | AS112                       | RFC 7534
198.18.0.0/15      | benchmarking                | RFC 2544
198.51.100.0/24    | documentation               | RFC 5737
203.0.113.0/24     | documentation               | RFC 5737
224.0.0.0/4        | multicast                   | RFC 5771
240.0.0.0/4        | reserved                    | RFC 1112
::/128             | unspecified                 | RFC 4291
::1/128            | loopback                    | RFC 4291
::/96              | IPv4-compatible IPv6        | RFC 4291
::ffff:0:0/96      | IPv4-mapped IPv6            | RFC 4291
::ffff:0:0:0/96    | IPv4-translated IPv6        | RFC 2765
64:ff9b::/96       | NAT64                       | RFC 6052
64:ff9b:1::/48     | NAT64                       | RFC 8215
100::/64           | discard only                | RFC 6666
100:0:0:1::/64     | dummy prefix                | RFC 9780
2001::/32          | Teredo                      | RFC 4380
2001:2::/48        | benchmarking                | RFC 5180
2001::/23          | IETF protocol assignments   | RFC 2928
2001:db8::/32      | documentation               | RFC 3849
2002::/16          | 6to4                        | RFC 3056
2620:4f:8000::/48  | AS112                       | RFC 7534
3ffe::/16          | 6bone, retired              | RFC 3701
3fff::/20          | documentation               | RFC 9637
5f00::/16          | segment routing             | RFC 9602
fc00::/7           | unique local                | RFC 4193
fe80::/10          | link-local                  | RFC 4291
fec0::/10          | site-local                  | RFC 3879
ff00::/8           | multicast                   | RFC 4291
::/3               | outside global unicast      | RFC 4291
4000::/2           | outside global unicast      | RFC 4291
8000::/1           | outside global unicast      | RFC 4291
""")
)

KNOWN_NAMES: Mapping[str, tuple[str, ...]] = {
    "localhost": ("127.0.0.1", "::1"),
    "localhost.localdomain": ("127.0.0.1", "::1"),
    "ip6-localhost": ("::1",),
    "ip6-loopback": ("::1",),
    "metadata.google.internal": ("169.254.169.254",),
    "metadata.goog": ("169.254.169.254",),
}
"""Names whose addresses need no resolver (RFC 6761 §6.3 for localhost), and are not left to one."""

DENIED_PORTS: Mapping[int, str] = {
    7: "echo", 19: "chargen", 20: "FTP", 21: "FTP", 22: "SSH", 23: "Telnet", 25: "SMTP", 53: "DNS", 69: "TFTP",
    79: "finger", 110: "POP3", 111: "rpcbind", 119: "NNTP", 123: "NTP", 135: "RPC", 137: "NetBIOS", 139: "NetBIOS",
    143: "IMAP", 161: "SNMP", 179: "BGP", 389: "LDAP", 445: "SMB", 465: "SMTP", 512: "rexec", 513: "rlogin",
    514: "syslog", 515: "printing", 548: "AFP", 554: "RTSP", 587: "SMTP", 636: "LDAP", 873: "rsync", 989: "FTP",
    990: "FTP", 993: "IMAP", 995: "POP3", 1433: "SQL Server", 1521: "Oracle", 2049: "NFS", 2375: "Docker",
    2376: "Docker", 2379: "etcd", 3306: "MySQL", 3389: "RDP", 5060: "SIP", 5061: "SIP", 5432: "PostgreSQL",
    5672: "AMQP", 5900: "VNC", 6000: "X11", 6379: "Redis", 6667: "IRC", 9042: "Cassandra", 10250: "kubelet",
    11211: "memcached", 27017: "MongoDB",
}  # fmt: skip
"""Well-known ports of services that do not speak HTTP or must not hear ours, after the Fetch standard's "bad ports"."""

_AUTHORITY = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{0,5}))?")
_MAX_NAME = 253  # RFC 1035 §2.3.4, as text and without the last dot
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
# Where resolvers and browsers take a last label for a number, they take the whole host for an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

_OUR_PREFIXES = ("webhook-", "postback-", "svix-", "proxy-")
_OUR_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"}
    | {"http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
    | {"traceparent"}
)


def refuse_address(ip: IPAddress, allowed: Sequence[IPNetwork]) -> str | None:
    """The rule that forbids dialling `ip`, as a sentence; None if nothing does.

    `allowed` wins over the table, and an allowed IPv4 network also allows its IPv4-mapped IPv6 addresses.
    """
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    if any(ip in network or (mapped is not None and mapped in network) for network in allowed):
        return None
    for rule in DENIED:
        if ip in rule.network:
            return (
                f"{ip} is {rule.name} ({rule.network}, {rule.source}); POSTBACK_ALLOW_NETWORKS can allow such addresses"
            )
    return None


def known_addresses(host: str) -> tuple[IPAddress, ...]:
    """The addresses of a name of `KNOWN_NAMES`, or of one under `localhost`; empty for any other name."""
    name = host.lower().rstrip(".")
    return tuple(map(ip_address, KNOWN_NAMES.get("localhost" if name.endswith(".localhost") else name, ())))


def refuse_url(url: str, allowed: Sequence[IPNetwork]) -> str | None:
    """Why a URL cannot be a destination, as far as can be known without a resolver; None if nothing speaks against it.

    The answer quotes the host at most, never path or query, which may hold a secret.
    """
    if len(url) > MAX_URL:
        return f"the URL is longer than {MAX_URL} characters"
    if any(character == "\\" or character.isspace() or not character.isprintable() for character in url):
        return "the URL holds whitespace, a backslash or an invisible character"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the URL's host cannot be read"
    if parts.scheme not in ("http", "https"):
        return "the URL's scheme is not https or http"
    if "#" in url:
        return "the URL has a fragment (#…), which is never sent to a server"
    if "@" in parts.netloc:
        return "the URL holds a user name or password; use a header instead"
    if not parts.netloc:
        return "the URL has no host"
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        return "the URL's host and port cannot be read; an IPv6 address has brackets and no zone"
    port = int(authority["port"]) if authority["port"] else None
    if port is not None and not 1 <= port <= 65535:
        return "the URL's port is not between 1 and 65535"
    return _refuse_host(authority["literal"], authority["name"], port, allowed)


def _refuse_host(literal: str | None, name: str, port: int | None, allowed: Sequence[IPNetwork]) -> str | None:
    if literal is not None:
        try:
            addresses: tuple[IPAddress, ...] = (IPv6Address(literal),)
        except ValueError:
            return "the URL's host is not an IPv6 address"
    else:
        try:
            host = name.encode("idna").decode().lower()
        except UnicodeError:
            return "the URL's host is not a host name"
        host = host.removesuffix(".")
        if len(host) > _MAX_NAME or _NAME.fullmatch(host) is None:
            return "the URL's host is not a host name"
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            try:
                addresses = (IPv4Address(name),) if name.isascii() else ()
            except ValueError:
                addresses = ()
            if not addresses:
                return "the URL's host is an IPv4 address in disguise; write it as four plain decimal numbers"
        else:
            addresses = known_addresses(host)
    refusals = [refuse_address(address, allowed) for address in addresses]
    if refusals and all(refusals):
        return refusals[0]
    if (
        port is not None
        and port in DENIED_PORTS
        and not any(address in network for address in addresses for network in allowed)
    ):
        return f"port {port} is {DENIED_PORTS[port]}, not a webhook"
    return None


def refuse_header(name: str, value: str) -> str | None:
    """Why nobody may send a header: its name is no token, or its value holds what HTTP forbids (RFC 9110 §5)."""
    if _TOKEN.fullmatch(name) is None:
        return "the name is not an HTTP token"
    if _VALUE.fullmatch(value) is None:
        return "the value holds a line break, a control character or a character that is not ASCII"
    if len(value) > MAX_HEADER_VALUE:
        return f"the value is longer than {MAX_HEADER_VALUE} characters"
    return None


def sendable(headers: Mapping[str, str]) -> bool:
    """Whether `refuse_header` would find nothing wrong with any of them, seen at a glance: false says nothing yet."""
    together = "".join(headers.values())  # which characters may stand there does not depend on where
    return len(together) <= MAX_HEADER_VALUE and _VALUE.fullmatch(together) is not None and _are_tokens(tuple(headers))


@lru_cache(maxsize=1_024)  # subscribers have few of their own
def _are_tokens(names: tuple[str, ...]) -> bool:
    return all(_TOKEN.fullmatch(name) for name in names)


def refuse_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Why a subscriber's own headers are refused: header name to reason, empty if all are good.

    Names that Postback or HTTP itself owns are refused, so that none can pose as a signature or change the framing.
    """
    refused: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in headers.items():
        # Servers that hand headers on as CGI variables do not tell a dash from an underscore.
        lower = name.lower().replace("_", "-")
        if reason := refuse_header(name, value):
            refused[name] = reason
        elif lower in _OUR_HEADERS or lower.startswith(_OUR_PREFIXES):
            refused[name] = "the name is reserved"
        elif lower in seen:
            refused[name] = "the name is given twice"
        elif len(seen) >= MAX_HEADERS:
            refused[name] = f"a subscriber has at most {MAX_HEADERS} headers"
        seen.add(lower)
    return refused
