"""Whose certificates count, when they are fetched, and when they are no longer good."""

import asyncio

import pytest
from builders import pending
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.certificates import KEPT_FOR, MOST_KEPT, is_official
from receiver.egress import EgressError

from . import signer
from .signer import CERTIFICATE_URL
from .stage import Stage, problem, refused

pytestmark = pytest.mark.anyio

HOST = "cn-beijing-eventbridge.oss-accelerate.aliyuncs.com"

STRANGE = [
    "",
    HOST,
    f"//{HOST}/a.pem",
    f"http://{HOST}/a.pem",
    f"HTTPS://{HOST}/a.pem",
    f"ftp://{HOST}/a.pem",
    f"https:/{HOST}/a.pem",
    f"https:\\\\{HOST}/a.pem",
    f" https://{HOST}/a.pem",
    f"https://{HOST}/a.pem\n",
    f"https://{HOST}/a.pem ",
    f"https://{HOST}:443/a.pem",
    f"https://{HOST}:8443/a.pem",
    f"https://{HOST}:/a.pem",
    f"https://{HOST}./a.pem",
    f"https://user@{HOST}/a.pem",
    f"https://user:secret@{HOST}/a.pem",
    f"https://{HOST}@evil.example/a.pem",
    f"https://evil.example/{HOST}/a.pem",
    f"https://evil.example#{HOST}/a.pem",
    f"https://evil.example\\{HOST}/a.pem",
    f"https://evil.example/?{HOST}/a.pem",
    f"https://{HOST}.evil.example/a.pem",
    f"https://{HOST}%2eevil.example/a.pem",
    f"https://{HOST}\\@evil.example/a.pem",
    f"https://{HOST}\x00.evil.example/a.pem",
    f"https://{HOST}\u3002evil.example/a.pem",
    f"https://evil.{HOST}/a.pem",
    f"https://evil.example.{HOST}/a.pem",
    f"https://{HOST.upper()}/a.pem",
    f"https://{HOST.replace('cn-beijing', 'cn-beıjing')}/a.pem",
    f"https://{HOST.replace('.', '-', 1)}/a.pem",
    f"https://{HOST.replace('cn-beijing-', '')}/a.pem",
    f"https://{HOST.replace('cn-beijing', 'evil')}/a.pem",
    f"https://{HOST.replace('cn-beijing', 'cn-evil')}/a.pem",
    f"https://{HOST.replace('cn-beijing', 'evil-cn-beijing')}/a.pem",
    f"https://{HOST.replace('cn-beijing', 'evil.example/cn-beijing')}/a.pem",
    f"https://{HOST.replace('oss-accelerate', 'oss-cn-beijing')}/a.pem",
    f"https://{HOST.replace('aliyuncs', 'aliyuncs-evil')}/a.pem",
    f"https://{HOST}",
    f"https://{HOST}/",
    f"https://{HOST}//a.pem",
    f"https://{HOST}/../a.pem",
    f"https://{HOST}/a/../b.pem",
    f"https://{HOST}/%2e%2e/a.pem",
    f"https://{HOST}/a.pem?x-oss-process=style",
    f"https://{HOST}/a.pem?",
    f"https://{HOST}/a.pem#",
    f"https://{HOST}/a.pem;b",
    "https://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("url", STRANGE)
async def test_strange_urls_are_not_fetched(stage: Stage, url: str) -> None:
    assert not is_official(url)
    body = signer.event()
    headers = signer.headers(body, certificate_url=url)
    refused(await stage.post(body, {name: value.encode() for name, value in headers.items()}))
    assert stage.library.asked == []


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE_URL,
        f"https://{HOST}/certificates/2026/x509.pem",
        "https://ap-southeast-1-eventbridge.oss-accelerate.aliyuncs.com/x509_public_certificate_2021012501.pem",
    ],
)
async def test_official_urls_are(stage: Stage, url: str) -> None:
    await pending(stage.ledger)
    stage.library.holds = {url: signer.certificate()}
    assert (await stage.push(certificate_url=url)).json() == {"woken": 1}


async def test_a_certificate_is_fetched_once_however_many_ask(stage: Stage) -> None:
    answers = await asyncio.gather(*(stage.push() for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert stage.library.asked == [CERTIFICATE_URL]


async def test_a_certificate_is_fetched_again_after_a_while(stage: Stage) -> None:
    await stage.push()
    stage.clock.advance(KEPT_FOR - 1)
    await stage.push()
    assert len(stage.library.asked) == 1
    stage.library.holds[CERTIFICATE_URL] = signer.certificate(signer.rsa_key("the next"))
    stage.clock.advance(1)
    refused(await stage.push())
    assert (await stage.push(key=signer.rsa_key("the next"))).status_code == 200
    assert len(stage.library.asked) == 2


async def test_only_a_few_are_kept(stage: Stage) -> None:
    urls = [f"https://{HOST}/{number}.pem" for number in range(MOST_KEPT + 1)]
    stage.library.holds = {url: signer.certificate() for url in urls}
    for url in [*urls, urls[-1], urls[1], urls[0]]:
        assert (await stage.push(certificate_url=url)).status_code == 200
    assert stage.library.asked == [*urls, urls[0]]


@pytest.mark.parametrize(
    "found",
    [
        signer.certificate(until=-1_000),
        signer.certificate(since=1_000),
        signer.certificate(ec.generate_private_key(ec.SECP256R1())),
        signer.certificate()[:-100],
        b"",
        b"<html>403</html>",
        b"\x00\xff",
    ],
    ids=["expired", "not yet valid", "not RSA", "cut off", "empty", "HTML", "bytes"],
)
async def test_a_certificate_that_proves_nothing(stage: Stage, found: bytes) -> None:
    job = await pending(stage.ledger)
    stage.library.holds[CERTIFICATE_URL] = found
    refused(await stage.push())
    assert await stage.now(job) == job


async def test_a_certificate_expires_while_it_is_kept(stage: Stage) -> None:
    stage.library.holds[CERTIFICATE_URL] = signer.certificate(until=10_000)
    assert (await stage.push()).status_code == 200
    stage.clock.advance(10_000)
    assert (await stage.push()).status_code == 200
    stage.clock.advance(1_000)
    refused(await stage.push())


async def test_a_certificate_that_cannot_be_had_now(stage: Stage) -> None:
    await pending(stage.ledger)
    stage.library.holds[CERTIFICATE_URL] = EgressError("timeout", f"https://{HOST}: no answer")
    answer = await stage.push()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert problem(answer) == ("unavailable", "The certificate could not be fetched; send the event again.")
    stage.library.holds[CERTIFICATE_URL] = signer.certificate()
    assert (await stage.push()).json() == {"woken": 1}
