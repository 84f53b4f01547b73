"""A webhook on this machine: what a subscriber would be sent is sent there."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx2 as httpx

from ledger.jsontext import encoded
from receiver import signing
from receiver.payload import fit

TIMEOUT_SECONDS = 15.0
"""How long one attempt may take; the server's own default."""

_READ = 64 * 1024
_SENT = ("type", "timestamp", "data")


@dataclass(frozen=True, slots=True)
class Tried:
    """How one attempt went: with which status it was answered, or else what went wrong."""

    status_code: int | None
    error: str | None
    duration_ms: int


class Hook:
    """Signs notifications and POSTs them to one URL. It follows no redirect and uses no proxy of the environment.

    `secret` is a `whsec_…`; `now` counts seconds since 1970 and `clock` seconds since whenever.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._secret = secret
        self._now = now
        self._clock = clock
        self._http = httpx.Client(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=TIMEOUT_SECONDS,
            # A connection kept from before the other side was restarted would fail the next notification.
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"user-agent": "Postback", "accept-encoding": "identity"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, notification: Mapping[str, Any]) -> Tried:
        """One attempt. Whatever happens there, it comes back."""
        body = body_of(notification)
        headers = {
            "content-type": "application/json",
            "postback-attempt": "1",
            **signing.headers([self._secret], notification["id"], int(self._now()), body),
        }
        began = self._clock()
        status, error = None, None
        try:
            with self._http.stream("POST", self.url, content=body, headers=headers) as response:
                status = response.status_code
                self._drain(response, began)
        except httpx.TimeoutException:
            error = f"no answer within {TIMEOUT_SECONDS:.0f} s" if status is None else None
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = _reason(failure) if status is None else None
        return Tried(status, error, round((self._clock() - began) * 1000))

    def _drain(self, response: httpx.Response, began: float) -> None:
        """Lets the other side finish its answer, within bounds: nothing in it matters."""
        read = 0
        for chunk in response.iter_raw():
            read += len(chunk)
            if read > _READ or self._clock() - began > TIMEOUT_SECONDS:
                return


def body_of(notification: Mapping[str, Any]) -> bytes:
    """The bytes that a subscriber gets of a notification, from its document of the API."""
    sent = {name: notification[name] for name in _SENT}
    return fit(encoded(sent), "full")


def _reason(failure: Exception) -> str:
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(failure)).strip().rstrip(".") or type(failure).__name__
    return text[:1].lower() + text[1:]
