"""Words in a prompt that ask the simulator for behaviour: `a red fox [delay=5s] [partial=1]`.

The table `WORDS` is the whole language; the parser, the start page and the documentation all read it. A word that
is not in the table is left alone, since prompts may hold brackets; a known word with a bad value is an error.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from postback import durations

_WORD = re.compile(r"\[([a-z]+)(?:=([^\[\]]*))?\]")
_MOST = 1000


class BadScript(ValueError):
    """A known word with a value it cannot take. The message says which and what it takes."""


@dataclass(frozen=True, slots=True)
class Script:
    """What one prompt asks for. Each field is the word of that name in `WORDS`; durations are in seconds."""

    delay: float | None = None
    fail: str | None = None
    """The error code of the failure; empty means the provider's usual one; None: do not fail."""
    partial: int = 0
    throttle: int = 0
    error: tuple[int, str] | None = None
    """HTTP status and error code of a refused submission; an empty code means the usual one for the status."""
    html: int | None = None
    cut: bool = False
    vanish: bool = False
    cancelable: bool = False
    suspend: bool = False
    successed: bool = False
    empty: bool = False
    sync: bool = False
    early: bool = False
    nocallback: bool = False
    late: float = 0.0
    duplicate: int = 1
    conflict: bool = False

    def refusal(self, nth: int) -> tuple[int, str] | None:
        """How the prompt's nth submission (from 1) is refused: HTTP status and error code, or None."""
        return (429, "") if nth <= self.throttle else self.error


def _flag(text: str) -> bool:
    if text:
        raise ValueError("no value")
    return True


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= _MOST):
        raise ValueError(f"a whole number up to {_MOST}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return durations.parse(text) / 1000
    except ValueError:
        raise ValueError("a duration such as 500ms, 2s or 5m") from None


def _status(text: str) -> int:
    if not re.fullmatch(r"[45]\d\d", text):
        raise ValueError("an HTTP status from 400 to 599")
    return int(text)


def _error(text: str) -> tuple[int, str]:
    status, _, code = text.partition(":")
    return _status(status), code


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the language. `bare` is the value it has when written without one; None: it needs a value."""

    name: str
    example: str
    does: str
    read: Callable[[str], Any] = _flag
    bare: str | None = ""


WORDS: tuple[Word, ...] = (
    Word("delay", "[delay=2s]", "The job takes exactly this long.", _seconds, None),
    Word("fail", "[fail=DataInspectionFailed]", "The job fails, with this error code if one is given.", str),
    Word("partial", "[partial=1]", "This many of the job's images fail; if all of them do, so does it.", _count, "1"),
    Word("empty", "[empty]", "The job succeeds without any result."),
    Word("vanish", "[vanish]", "The job is accepted, and unknown from the moment it should have finished."),
    Word("throttle", "[throttle=3]", "The first so many submissions of this prompt are answered 429.", _count, "1"),
    Word(
        "error",
        "[error=500]",
        "Every submission is refused with this status; [error=429:CODE] sets a code.",
        _error,
        "500",
    ),
    Word("html", "[html=502]", "Every submission is answered by a proxy's HTML page with this status.", _status, "502"),
    Word("cut", "[cut]", "The job is accepted, and the connection closed without an answer."),
    Word("cancelable", "[cancelable]", "DashScope: PENDING for all of its delay (a minute if none), so cancel works."),
    Word("suspend", "[suspend]", "DashScope: SUSPENDED where it would be PENDING."),
    Word("successed", "[successed]", "DashScope: success is written SUCCESSED, as one of its documents does."),
    Word("sync", "[sync]", "AceData: the submission is answered with the result, and no callback follows."),
    Word("early", "[early]", "AceData: the callback is sent before the submission is answered."),
    Word("nocallback", "[nocallback]", "AceData: no callback is sent."),
    Word("late", "[late=30s]", "AceData: the callback is sent this long after the job has finished.", _seconds, None),
    Word("duplicate", "[duplicate=3]", "AceData: the callback is sent this many times.", _count, "2"),
    Word("conflict", "[conflict]", "AceData: a second callback tells the opposite outcome."),
)

_BY_NAME = {word.name: word for word in WORDS}

MODELS: dict[str, str] = {
    "sim-ok": "",
    "sim-slow": "[delay=30s]",
    "sim-fail": "[fail]",
    "sim-partial": "[partial=1]",
    "sim-throttled": "[throttle=2]",
    "sim-lost": "[vanish]",
}
"""Models that only the simulator has, and the words each adds to every prompt."""


def read(prompt: str, model: str) -> Script:
    """The script of a job: the words of its model, then those of its prompt. Raises `BadScript`."""
    values: dict[str, Any] = {}
    for match in _WORD.finditer(MODELS.get(model, "") + prompt):
        word = _BY_NAME.get(match[1])
        if word is None:
            continue
        text = word.bare if match[2] is None else match[2]
        try:
            values[word.name] = word.read(text or "")
        except ValueError as error:
            raise BadScript(f"The simulator's word [{word.name}] takes {error}, as in {word.example}.") from None
    return Script(**values)
