"""How the checks ask over HTTP: once, with a deadline, and never with a redirect followed."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2 as httpx

from postback.doctor.patient import Patient

TIMEOUT_SECONDS = 10.0
MAX_ANSWER = 1 << 20

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class NoAnswer(Exception):
    """Nothing answered. The message names the kind of trouble, and no URL."""


async def ask(
    patient: Patient,
    clock: str,
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Response:
    """The answer; its Date is kept under the name `clock`. Raises `NoAnswer`."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=not is_loopback(url)) as http:
            async with http.stream(method, url, headers=dict(headers or {}), content=content) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        break
                answer = httpx.Response(response.status_code, headers=_plain(response.headers), content=bytes(body))
    except httpx.TimeoutException:
        raise NoAnswer(f"no answer within {TIMEOUT_SECONDS:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(str(error).split("http")[0].strip(" :(") or type(error).__name__) from None
    _compare(patient, clock, answer)
    return answer


def is_loopback(url: str) -> bool:
    """Whether only this machine can mean it."""
    return (urlsplit(url).hostname or "") in LOOPBACK


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """Without what was true of the bytes on the wire only."""
    return {name: value for name, value in headers.items() if name not in ("content-encoding", "transfer-encoding")}


def _compare(patient: Patient, clock: str, answer: httpx.Response) -> None:
    try:
        date = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return
    patient.clocks[clock] = int(date.timestamp() * 1_000) - patient.clock()
