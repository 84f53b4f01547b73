"""The certificates that Alibaba Cloud EventBridge signs with: from its own hosts only, fetched once, and valid."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ledger.clock import HOUR, SECOND, Clock
from receiver.egress import Egress, EgressError

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what is at a URL. Raises `EgressError`."""

REGIONS = (
    "cn-beijing",
    "cn-hangzhou",
    "cn-shanghai",
    "cn-shenzhen",
    "cn-zhangjiakou",
    "cn-hongkong",
    "ap-northeast-1",
    "ap-southeast-1",
    "eu-central-1",
    "us-east-1",
    "us-west-1",
)
"""Regions whose EventBridge may sign. They are named because the host of any OSS bucket ends as theirs does: a pattern
would also trust whoever has a bucket called `anything-eventbridge`."""

_URL = re.compile(
    rf"https://(?:{'|'.join(REGIONS)})-eventbridge\.oss-accelerate\.aliyuncs\.com(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+"
)

MAX_BYTES = 16 * 1024
TIMEOUT = 10 * SECOND
KEPT_FOR = 1 * HOUR
MOST_KEPT = 8


class BadCertificate(Exception):
    """A certificate that proves nothing. The message says why."""


class Certificates:
    """Fetches each certificate once, however many ask for it at once, and again after `KEPT_FOR`."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: OrderedDict[str, tuple[int, x509.Certificate]] = OrderedDict()
        self._fetching = asyncio.Lock()

    async def key(self, url: str) -> RSAPublicKey:
        """The public key of the certificate at a URL for which `is_official` holds.

        Raises `BadCertificate`, and `EgressError` when it could not be fetched.
        """
        async with self._fetching:
            certificate = await self._certificate(url)
        now = datetime.fromtimestamp(self._clock() / SECOND, UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise BadCertificate("the certificate is not valid at this time")
        try:
            key = certificate.public_key()
        except (ValueError, UnsupportedAlgorithm):
            raise BadCertificate("the certificate's key is unknown") from None
        if not isinstance(key, RSAPublicKey):
            raise BadCertificate("the certificate's key is not an RSA key")
        return key

    async def _certificate(self, url: str) -> x509.Certificate:
        now = self._clock()
        if url in self._kept and now < self._kept[url][0] + KEPT_FOR:
            return self._kept[url][1]
        try:
            certificate = x509.load_pem_x509_certificate(await self._fetch(url))
        except ValueError:
            raise BadCertificate("there is no certificate at its URL") from None
        self._kept[url] = now, certificate
        self._kept.move_to_end(url)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return certificate


def is_official(url: str) -> bool:
    """Whether a certificate's URL is one of EventBridge's own, to the letter: `https`, a host
    `{region}-eventbridge.oss-accelerate.aliyuncs.com`, a plain path, and nothing else."""
    return _URL.fullmatch(url) is not None


async def fetch(url: str) -> bytes:
    """Gets a certificate through the guarded egress. Raises `EgressError`."""
    egress = Egress((), TIMEOUT, connections=1)
    try:
        return await read(egress, url)
    finally:
        await egress.close()


async def read(egress: Egress, url: str) -> bytes:
    """What is at a URL, where that is at most `MAX_BYTES`. Raises `EgressError`."""
    async with egress.get(url) as answer:
        if answer.status != HTTPStatus.OK:
            raise EgressError("response", f"instead of a certificate came HTTP {answer.status}")
        found = bytearray()
        async for chunk in answer.chunks:
            found += chunk
            if len(found) > MAX_BYTES:
                raise EgressError("response", f"a certificate has at most {MAX_BYTES} bytes")
        return bytes(found)
