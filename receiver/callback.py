"""One callback whose token was good: what it says, and what it is answered."""

import structlog

from ledger.accept import Arrival
from ledger.errors import Unavailable
from ledger.tokens import CallbackTokens
from providers.protocol import JobStatus, Provider, Reading, Unreadable
from receiver.problems import Problem, no_such_callback

log = structlog.get_logger()

OTHER_TASK = "The callback's task_id is not that of its job."
"""Why a callback is invalid that could be read."""


class Callback:
    """`headers` are as received, without our tokens; `began` is when it came, in seconds of the performance counter."""

    __slots__ = ("_tokens", "began", "fault", "headers", "job_id", "provider")

    def __init__(
        self, job_id: str, provider: Provider, headers: dict[str, str], tokens: CallbackTokens, began: float
    ) -> None:
        self.job_id = job_id
        self.provider = provider
        self.headers = headers
        self.began = began
        self.fault: str | None = None
        """Why its body could not be read."""
        self._tokens = tokens

    def read(self, body: bytes) -> Arrival:
        """As the ledger takes it."""
        body = self._tokens.blank(body)
        reading, self.fault = read(self.provider, body)
        return Arrival(self.job_id, self.provider.name, self.headers, body, reading)

    def answered(self, verdict: str | None) -> str:
        """The verdict that is answered. Raises `Problem` where it is not answered with 2xx."""
        if verdict is None:
            raise no_such_callback()
        if verdict == "invalid":
            raise Problem("bad-callback", self.fault or OTHER_TASK)
        return verdict

    def not_stored(self, error: Unavailable) -> Problem:
        """What is answered when the database is away."""
        log.warning("callback_not_stored", job_id=self.job_id, reason=str(error))
        return Problem("unavailable", "The callback could not be stored; send it again.")


def why_invalid(provider: Provider, body: bytes) -> str:
    """What was wrong with a callback that was found invalid."""
    return read(provider, body)[1] or OTHER_TASK


def read(provider: Provider, body: bytes) -> tuple[Reading | None, str | None]:
    """What a body says, or why it cannot be read."""
    try:
        return _advised(provider, provider.read_callback(body)), None
    except Unreadable as error:
        return None, str(error)


def _advised(provider: Provider, reading: Reading) -> Reading:
    """The reading, with what a person can do about its error, where that is known."""
    if reading.status is not JobStatus.FAILED or reading.error is None:
        return reading
    hint = provider.hint(reading.error.code)
    return reading._replace(warnings=(*reading.warnings, f"hint: {hint}")) if hint else reading
