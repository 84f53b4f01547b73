"""Whatever is typed, and whatever a server answers: an exit code of the documented ones, and never a traceback."""

import io
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import generated
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from postback.cli import run
from postback.cli.errors import ExitCode
from postback.cli.feed import Feed
from postback.cli.pulse import Pulse

from .conftest import Outcome
from .samples import ATTEMPT, CALLBACK, DELIVERY, JOB, NOTIFICATION, SECRET, SUBSCRIBER, TIMELINE, page
from .stub import KEY, Stub, problem, running

COMMANDS = [(name.split(), command) for name, command in generated.commands()]
WORDS = [
    *("", "-", "--", "=", "job_1", "sub_1", "dlv_1", "ntf_1", "cb_1", "../x", "*", "job.*", "job.failed", "none", "0"),
    *("-1", "1e999", "nan", "2h", "99999999d", "2026-01-31", "0001-01-01", "9999-12-31T23:59:59.999999+00:00", "dead"),
    *("a=b", "a=", "=b", "a={}", "metadata.a=1", "X: y", "x:", "http://", "http://[", "https://example.com/hook"),
    *("flux-schnell", "dashscope", "whsec_x", SECRET, "whpk_x", "\ud800", "一只猫", "\x1b[31m", "a" * 9999),
    *("--json", "--help", "--wait", "--yes", "--dry-run", "--debug", "--limit", "250", "--home", "--url", "~nobody"),
]
REAL: dict[str, Any] = {
    "jobs": JOB,
    "callbacks": CALLBACK,
    "subscribers": SUBSCRIBER
    | {"secret": SECRET, "recovered": 1, "replayed": 1, "diagnosis": None, "last_due_at": "x"},
    "notifications": NOTIFICATION,
    "deliveries": DELIVERY | {"attempts": [ATTEMPT]},
    "rekey": {"resealed": 1, "unreadable": 1},
    "keys": {"id": "key_1", "name": "x", "scope": "read", "key": "k", "created_at": "x", "last_used_at": None},
    "sign-in-links": {"path": "/x", "scope": "read", "expires_at": "x"},
}

UNFORESEEN = "See more with: postback --debug"

CHANGE = {"at": "x", "actor": "api", "action": "created", "changes": {"url": {"from": None, "to": "x"}}}

anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=9),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
words = some.one_of(
    some.sampled_from(WORDS),
    some.text(some.characters(exclude_characters="/.~\x00"), max_size=9),
    some.integers().map(str),
)


class Odd(Stub):
    """Answers as the real one does, or with `answer` where a test has given it one."""

    given: bytes | None = None
    status = 200

    async def endpoint(self, request: Request) -> Response:
        await request.body()
        if self.given is not None:
            return Response(self.given, self.status, media_type="application/json")
        _, version, noun, *more = *request.url.path.split("/"), ""
        if noun == "stream":
            event = json.dumps(NOTIFICATION)
            return StreamingResponse(iter([f"id: 1\ndata: {event}\n\n"]), media_type="text/event-stream")
        if version != "v1" or noun not in REAL:
            return problem(404, "There is no such thing.")
        if "timeline" in more:
            return Response(json.dumps(TIMELINE), media_type="application/json")
        listed = request.method == "GET" and not any(more)
        answer = page(CHANGE) if "audit" in more else page(REAL[noun]) if listed else REAL[noun]
        return Response(json.dumps(answer), media_type="application/json")


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    stub = Odd()
    with running(stub):
        yield stub


@pytest.fixture
def typed(odd: Odd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Types a command line. Nothing outside is begun, and what waits without end is interrupted at once."""

    def interrupted(*_: Any) -> None:
        # Other threads are not interrupted: they just end.
        raise KeyboardInterrupt if threading.current_thread() is threading.main_thread() else SystemExit

    async def nothing(_: object) -> Any:
        for finding in ():
            yield finding

    for name, value in {"POSTBACK_URL": odd.url, "POSTBACK_API_KEY": KEY, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    for begun in ("postback.serve.run", "postback.simulator.serve.run", "postback.databases.upgrade"):
        monkeypatch.setattr(begun, lambda *_: None)
    monkeypatch.setattr("postback.databases.move", lambda *_: [])
    monkeypatch.setattr("postback.demo.run", lambda *_: 0)
    monkeypatch.setattr("postback.doctor.examine", nothing)
    monkeypatch.setattr("typer.completion.install", lambda **_: ("bash", "nowhere"))
    monkeypatch.setattr("time.sleep", interrupted)
    monkeypatch.setitem(Feed.__init__.__kwdefaults__, "sleep", interrupted)
    monkeypatch.setitem(Pulse.__init__.__kwdefaults__, "sleep", interrupted)
    monkeypatch.setitem(Pulse.__init__.__kwdefaults__, "period", 0)

    def run_one(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"{}\n"), isatty=lambda: False))
        capsys.readouterr()
        return Outcome(run(arguments), *capsys.readouterr())

    return run_one


def judge(shown: Outcome, arguments: list[str]) -> None:
    assert shown.code in list(ExitCode), arguments
    assert "Traceback" not in shown.out + shown.err, arguments
    assert shown.code == 0 or shown.out + shown.err, f"{arguments} fails without a word"


@some.composite
def lines(draw: some.DrawFn) -> list[str]:
    """Mostly a command with some of its options, in any order, with any values."""
    name, command = draw(some.sampled_from(COMMANDS))
    options = [option for one in command.params for option in (*one.opts, *one.secondary_opts) if option[0] == "-"]
    count = len([one for one in command.params if one.param_type_name == "argument"])
    given = [*draw(some.lists(words, min_size=count, max_size=count + 1))]
    for option in draw(some.lists(some.sampled_from(options), max_size=4)):
        given += [option, *draw(some.lists(words, max_size=1))]
    return [*draw(some.lists(words, max_size=1 if draw(some.integers(0, 9)) == 0 else 0)), *name, *given]


unhurried = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@unhurried
@given(lines())
@example(["submit", "\ud800", "\ud800"])
@example(["--home", "config"])
@example(["subscribers", "add", "https://x", "--header", "X: \udcff"])
@example(["--url", "http://[", "jobs", "list"])
@example(["jobs", "list", "--created-after", "0001-01-01T00:00:00+23:59"])
def test_any_line(typed: Any, odd: Odd, arguments: list[str]) -> None:
    odd.given = None
    if "--debug" in arguments:
        arguments = [word for word in arguments if word != "--debug"]
    shown = typed(*arguments)
    judge(shown, arguments)
    assert UNFORESEEN not in shown.err, arguments


PLAIN = [
    *("jobs list", "jobs show x", "jobs watch", "jobs watch x", "jobs cancel x", "jobs save x y", "submit flux-dev x"),
    *("submit flux-dev x --wait", "submit --file -", "callbacks list", "callbacks show x", "notifications list"),
    *("notifications show x", "deliveries list", "deliveries show x", "deliveries redeliver x", "subscribers list"),
    *("subscribers add http://x", "subscribers show x", "subscribers update x --enable", "subscribers test x"),
    *("subscribers secret x", "subscribers rotate-secret x", "subscribers recover x --since 2h --wait", "keys list"),
    *("subscribers audit x", "rekey", "tail", "verify --subscriber x", "keys create x --scope read", "sign-in"),
]


@unhurried
@given(
    some.sampled_from(PLAIN),
    some.sampled_from([200, 202, 204, 400, 401, 403, 404, 409, 422, 429, 500, 503, 302]),
    anything.map(lambda value: json.dumps(value).encode()) | some.binary(max_size=20),
)
def test_any_answer(typed: Any, odd: Odd, line: str, status: int, content: bytes) -> None:
    odd.given, odd.status = b"" if status == 204 else content, status
    judge(typed(*line.split()), [line, str(status), content.decode("utf-8", "replace")])
