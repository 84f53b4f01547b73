"""Who may send an event: everything that can be wrong with a signature is refused, and looks the same from outside."""

import base64
from collections.abc import Mapping

import pytest
from builders import NOW, pending

from receiver.eventbridge import SIGNATURE, SIGNED, string_to_sign

from . import signer
from .stage import PATH, Stage, refused

pytestmark = pytest.mark.anyio

BODY = signer.event()


async def test_the_text_that_is_signed() -> None:
    headers = {
        "x-eventbridge-signature-timestamp": "1612167546574",
        "x-eventbridge-hash-method": "SHA256",
        "x-eventbridge-signature-version": "1.0",
        "x-eventbridge-signature-url": "https://cn-hangzhou-eventbridge.oss-accelerate.aliyuncs.com/a.pem",
        "x-eventbridge-signature-token": "t",
        "x-eventbridge-signature-v2": "c2ln",
        "content-type": "application/json",
    }
    assert (
        string_to_sign("https://hooks.example.com/eventbridge", headers, '{"灯":1}'.encode())
        == (
            "https://hooks.example.com/eventbridge\n"
            "x-eventbridge-signature-timestamp: 1612167546574\n"
            "x-eventbridge-hash-method: SHA256\n"
            "x-eventbridge-signature-version: 1.0\n"
            "x-eventbridge-signature-url: https://cn-hangzhou-eventbridge.oss-accelerate.aliyuncs.com/a.pem\n"
            "x-eventbridge-signature-token: t\n"
            '{"灯":1}'
        ).encode()
    )


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["as in the guide", "as in Alibaba's own library"])
async def test_both_documented_ends_are_good(stage: Stage, end: bytes) -> None:
    await pending(stage.ledger)
    assert (await stage.push(end=end)).json() == {"woken": 1}


async def test_the_targets_query_is_signed(stage: Stage) -> None:
    await pending(stage.ledger)
    headers = signer.headers(BODY, target=f"{signer.TARGET}?from=rule%20one")
    refused(await stage.post(BODY, headers))
    refused(await stage.post(BODY, headers, f"{PATH}?from=rule%20two"))
    assert (await stage.post(BODY, headers, f"{PATH}?from=rule%20one")).json() == {"woken": 1}


@pytest.mark.parametrize("host", ["receiver.test", "evil.example", "[", ""])
async def test_the_host_header_means_nothing(stage: Stage, host: str) -> None:
    await pending(stage.ledger)
    assert (await stage.post(BODY, {**signer.headers(BODY), "host": host})).json() == {"woken": 1}


@pytest.mark.parametrize("token", ["", "wrong", signer.TOKEN[:-1], f"{signer.TOKEN}x", signer.TOKEN.upper()])
async def test_the_token(stage: Stage, token: str) -> None:
    refused(await stage.push(token=token))
    assert stage.library.asked == [], "who does not know the token makes us fetch nothing"


async def test_a_token_of_strange_bytes(stage: Stage) -> None:
    headers = [(name, value.encode()) for name, value in signer.headers(BODY).items()]
    strange = [(name, b"\xff\xe9" if name.endswith("token") else value) for name, value in headers]
    refused(await stage.post(BODY, strange))
    assert stage.library.asked == []


@pytest.mark.parametrize("away", [-60_000, -1, 60_000])
async def test_a_minute_is_allowed(stage: Stage, away: int) -> None:
    await pending(stage.ledger)
    assert (await stage.push(at=NOW + away)).json() == {"woken": 1}


@pytest.mark.parametrize(
    "at",
    [
        NOW - 60_001,
        NOW + 60_001,
        0,
        NOW // 1_000,
        -NOW,
        f"{NOW}.0",
        f"+{NOW}",
        f"{NOW}e0",
        "x",
        "",
        "9" * 5_000,
        "１" * 13,
    ],
)
async def test_no_more_than_a_minute(stage: Stage, at: int | str) -> None:
    headers = signer.headers(BODY, at=at)
    refused(await stage.post(BODY, {name: value.encode() for name, value in headers.items()}))
    assert stage.library.asked == []


async def test_time_passes(stage: Stage) -> None:
    headers = signer.headers(BODY)
    stage.clock.advance(60_001)
    refused(await stage.post(BODY, headers))


@pytest.mark.parametrize("body", [BODY + b" ", BODY + b"\n\n", BODY[:-1], BODY.replace(b"task-1", b"task-2"), b""])
async def test_another_body(stage: Stage, body: bytes) -> None:
    job = await pending(stage.ledger, task_id="task-2")
    refused(await stage.post(body, signer.headers(BODY)))
    assert await stage.now(job) == job


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-eventbridge-signature-timestamp", str(NOW + 1)),
        ("x-eventbridge-hash-method", "SHA1"),
        ("x-eventbridge-signature-version", "2.0"),
        ("x-eventbridge-signature-url", signer.CERTIFICATE_URL.replace("2021012101", "2021012102")),
        ("x-eventbridge-signature-v2", "not base64!"),
        ("x-eventbridge-signature-v2", ""),
        ("x-eventbridge-signature-v2", base64.b64encode(b"x" * 128).decode()),
    ],
)
async def test_another_header(stage: Stage, name: str, value: str) -> None:
    stage.library.holds[signer.CERTIFICATE_URL.replace("2021012101", "2021012102")] = signer.certificate()
    refused(await stage.post(BODY, {**signer.headers(BODY), name: value}))


@pytest.mark.parametrize("name", [*SIGNED, SIGNATURE])
async def test_each_header_is_there_once(stage: Stage, name: str) -> None:
    headers: Mapping[str, str] = signer.headers(BODY)
    refused(await stage.post(BODY, {other: value for other, value in headers.items() if other != name}))
    refused(await stage.post(BODY, [*headers.items(), (name, headers[name])]))


async def test_another_key(stage: Stage) -> None:
    refused(await stage.push(key=signer.rsa_key("somebody else")))


async def test_another_target(stage: Stage) -> None:
    refused(await stage.push(target="https://somebody.example/eventbridge"))
