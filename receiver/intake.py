"""`POST /callbacks/{token}`: the one way in for results, from providers and from our own poller.

The answer is 2xx only after the commit that stored the callback, moved its job and wrote what is owed to subscribers.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.accept import Arrival
from ledger.batch import Batch, Waiting
from ledger.callbacks import VERDICTS
from ledger.errors import Unavailable
from ledger.ledger import Ledger
from ledger.onward import Order, store
from ledger.parcels import Claim
from ledger.tokens import BadToken, CallbackTokens
from providers.protocol import Provider
from receiver import bodies
from receiver.callback import Callback
from receiver.direct import Answer, Direct, Headers, prepared
from receiver.observer import FOUND_BY, Observer, Unobserved, finder
from receiver.problems import Problem, internal, no_such_callback

log = structlog.get_logger()

PATH = "/callbacks/{token}"
"""Where results arrive."""

_BEFORE_TOKEN = PATH.partition("{")[0].encode("ascii")


class Onward(Protocol):
    """Who sends what callbacks give reason to send, in this process."""

    def order(self) -> Order | None:
        """What is to be claimed in the transaction that stores the callbacks."""

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
        self._accept = Batch(ledger, store, given=self._given, apart=True, after=self._stored)
        self._to_note: list[tuple[Callback, str | None]] = []

    async def receive(self, request: Request) -> Response:
        """One callback, its token the path's parameter. The token is the authority; every bad one gets the same 404."""
        try:
            callback = self._begin(request.path_params["token"], request.headers.raw)
        except BadToken:
            self._observer.refused()
            raise no_such_callback() from None
        bodies.check_kind(callback.headers)
        arrival = callback.read(await bodies.read(request, self._max_body))
        try:
            verdict, _ = await self._accept.add(arrival)
        except Unavailable as error:
            raise callback.not_stored(error) from None
        self._note(callback, verdict)
        return _ANSWERS[callback.answered(verdict)]

    def take(self, method: bytes, target: bytes, headers: Headers) -> Direct | None:
        """A callback that `receive` would find nothing wrong with, so far, and that says how long it is."""
        token = target.removeprefix(_BEFORE_TOKEN)
        if method != b"POST" or b"/" in token:  # as in every path that is another
            return None
        try:
            callback = self._begin(token.decode("latin-1"), headers)
            bodies.check_kind(callback.headers)
        except (BadToken, Problem):
            return None
        return _Taken(self, callback) if bodies.fits(callback.headers, self._max_body) else None

    def put(self, arrival: Arrival, waiting: Waiting[tuple[str | None, Claim | None]]) -> None:
        """Has a callback stored, and the one who waits told. Raises `Overloaded`."""
        self._accept.put(arrival, waiting)

    def wait(self) -> float:
        """About how many seconds a callback would wait to be stored if it came now."""
        return self._accept.wait()

    def _begin(self, token: str, headers: Headers) -> Callback:
        """Raises `BadToken`."""
        began = time.perf_counter()
        job_id, provider_name = self._tokens.read(token)
        provider = self._providers.get(provider_name)
        if provider is None:
            raise BadToken("no such provider")
        return Callback(job_id, provider, self._blanked(headers), self._tokens, began)

    def note_later(self, callback: Callback, verdict: str | None) -> None:
        """Counts and logs it when all those have their answers that were stored together."""
        if not self._to_note:
            asyncio.get_running_loop().call_soon(self._note_all)
        self._to_note.append((callback, verdict))

    def _note_all(self) -> None:
        noting, self._to_note = self._to_note, []
        for callback, verdict in noting:
            self._note(callback, verdict)

    def _note(self, callback: Callback, verdict: str | None) -> None:
        if verdict is None:
            self._observer.refused()
            return
        job_id, found_by = callback.job_id, finder(callback.headers.get(FOUND_BY))
        self._observer.callback(job_id, verdict, found_by, time.perf_counter() - callback.began)
        log.info("callback", job_id=job_id, provider=callback.provider.name, verdict=verdict, found_by=found_by)

    def _given(self, count: int) -> tuple[bool, Order | None]:
        """What callbacks are stored with."""
        return self._archive, None if self.onward is None else self.onward.order()

    def _stored(self, answers: Sequence[tuple[str | None, Claim | None]]) -> None:
        if self.onward is not None:
            self.onward.begin(answers[0][1])
        if any(verdict is not None for verdict, _ in answers):
            self._wake()

    def _blanked(self, headers: Headers) -> dict[str, str]:
        """The headers as received, repeated ones joined, our own tokens blanked."""
        received: dict[str, str] = {}
        for name, value in headers:
            text = self._tokens.blank(value).decode("latin-1")
            key = name.decode("latin-1")  # in lower case, as ASGI has it
            received[key] = f"{received[key]}, {text}" if key in received else text
        return received


class _Taken:
    """A callback that needs no application: a `Direct`, and who waits for the batch."""

    __slots__ = ("_answer", "_callback", "_intake", "_parts")

    def __init__(self, intake: Intake, callback: Callback) -> None:
        self._intake = intake
        self._callback = callback
        self._parts: list[bytes] = []

    def receive(self, part: bytes) -> None:
        self._parts.append(part)

    def end(self, answer: Answer) -> None:
        self._answer = answer
        try:
            self._intake.put(self._callback.read(b"".join(self._parts)), self)
        except Exception as error:
            self.set_exception(error)

    def done(self) -> bool:
        return False

    def set_result(self, answer: tuple[str | None, Claim | None]) -> None:
        try:
            self._answer(_PREPARED[self._callback.answered(answer[0])])
        except Problem as problem:
            self._answer(prepared(problem.response()))
        self._intake.note_later(self._callback, answer[0])

    def set_exception(self, error: Exception) -> None:
        if isinstance(error, Unavailable):
            problem = self._callback.not_stored(error)
        else:
            log.error("unexpected", method="POST", exc_info=error)
            problem = internal()
        self._answer(prepared(problem.response()))


_ANSWERS: Mapping[str, Response] = {verdict: JSONResponse({"verdict": verdict}) for verdict in VERDICTS}
_PREPARED = {verdict: prepared(answer) for verdict, answer in _ANSWERS.items()}
"""Made once; an answer can be sent any number of times."""
