"""`POST /callbacks/{token}`: the one way in for results, from providers and from our own poller.

The answer is 2xx only after the commit that stored the callback, moved its job and wrote what is owed to subscribers.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import structlog
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.accept import Arrival, accept
from ledger.batch import Batch
from ledger.callbacks import VERDICTS
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.parcels import Claim
from ledger.tokens import BadToken, CallbackTokens
from providers.protocol import JobStatus, Provider, Reading, Unreadable
from receiver import bodies
from receiver.observer import FOUND_BY, Observer, Unobserved, finder
from receiver.problems import Problem, no_such_callback

log = structlog.get_logger()

PATH = "/callbacks/{token}"
"""Where results arrive."""


OTHER_TASK = "The callback's task_id is not that of its job."
"""Why a callback is invalid that could be read."""


class Onward(Protocol):
    """Who sends what callbacks give reason to send, in this process."""

    def claim(self, connection: Connection, moment: Moment) -> Claim | None:
        """Claims it in the transaction that stores the callbacks."""

    def begin(self, claim: Claim | None) -> None:
        """Sends it, once that is committed."""


class Intake:
    """Accepts callbacks. `wake` is called after each commit that may have given the loops something to do, except the
    one that is `onward`.

    With `archive`, the images of successes are to be copied into artifact storage.
    """

    def __init__(
        self,
        ledger: Ledger,
        tokens: CallbackTokens,
        providers: Mapping[str, Provider],
        *,
        max_body: int,
        archive: bool = False,
        wake: Callable[[], None] = lambda: None,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer or Unobserved()
        self._tokens = tokens
        self._providers = providers
        self._max_body = max_body
        self._wake = wake
        self._archive = archive
        self.onward: Onward | None = None
        self._accept = Batch(ledger, self._store, after=self._stored)

    async def receive(self, request: Request) -> Response:
        """One callback, its token the path's parameter. The token is the authority; every bad one gets the same 404."""
        began = time.perf_counter()
        try:
            job_id, provider_name = self._tokens.read(request.path_params["token"])
            provider = self._providers[provider_name]
        except (BadToken, KeyError):
            self._observer.refused()
            raise no_such_callback() from None
        headers = self._headers(request)
        bodies.check_kind(headers)
        body = self._tokens.blank(await bodies.read(request, self._max_body))
        reading, fault = _read(provider, body)
        try:
            verdict, _ = await self._accept.add(Arrival(job_id, provider_name, headers, body, reading))
        except Unavailable as error:
            log.warning("callback_not_stored", job_id=job_id, reason=str(error))
            raise Problem("unavailable", "The callback could not be stored; send it again.") from None
        if verdict is None:
            self._observer.refused()
            raise no_such_callback()
        found_by = finder(headers.get(FOUND_BY))
        self._observer.callback(job_id, verdict, found_by, time.perf_counter() - began)
        log.info("callback", job_id=job_id, provider=provider_name, verdict=verdict, found_by=found_by)
        self._wake()
        if verdict == "invalid":
            raise Problem("bad-callback", fault or OTHER_TASK)
        return _ANSWERS[verdict]

    def wait(self) -> float:
        """About how many seconds a callback would wait to be stored if it came now."""
        return self._accept.wait()

    def _store(
        self, connection: Connection, moment: Moment, arrivals: Sequence[Arrival]
    ) -> list[tuple[str | None, Claim | None]]:
        """The verdict on each; and with the first, what is to be sent now."""
        verdicts = accept(connection, moment, arrivals, archive=self._archive)
        claim = None if self.onward is None else self.onward.claim(connection, moment)
        return [(verdict, claim if place == 0 else None) for place, verdict in enumerate(verdicts)]

    def _stored(self, answers: Sequence[tuple[str | None, Claim | None]]) -> None:
        if self.onward is not None:
            self.onward.begin(answers[0][1])

    def _headers(self, request: Request) -> dict[str, str]:
        """The headers as received, repeated ones joined, our own tokens blanked."""
        received: dict[str, str] = {}
        for name, value in request.headers.raw:
            text = self._tokens.blank(value).decode("latin-1")
            key = name.decode("latin-1")  # in lower case, as ASGI has it
            received[key] = f"{received[key]}, {text}" if key in received else text
        return received


_ANSWERS: Mapping[str, Response] = {verdict: JSONResponse({"verdict": verdict}) for verdict in VERDICTS}
"""Made once; an answer can be sent any number of times."""


def why_invalid(provider: Provider, body: bytes) -> str:
    """What was wrong with a callback that was found invalid."""
    return _read(provider, body)[1] or OTHER_TASK


def _read(provider: Provider, body: bytes) -> tuple[Reading | None, str | None]:
    try:
        return _advised(provider, provider.read_callback(body)), None
    except Unreadable as error:
        return None, str(error)


def _advised(provider: Provider, reading: Reading) -> Reading:
    """The reading, with what a person can do about its error, where that is known."""
    if reading.status is not JobStatus.FAILED or reading.error is None:
        return reading
    hint = provider.hint(reading.error.code)
    return replace(reading, warnings=(*reading.warnings, f"hint: {hint}")) if hint else reading
