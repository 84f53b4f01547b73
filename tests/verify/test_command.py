"""`postback verify`, with the messages that the rest of these tests verify."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cli.stub import KEY, Stub, running

from postback.cli import run

from .messages import BODY, OTHER_KEYS, PRIVATE_KEY, PUBLIC_KEY, SECRET, Message, signed


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Verify = Callable[..., Outcome]


@pytest.fixture(scope="module")
def server() -> Iterator[Stub]:
    stub = Stub()
    with running(stub):
        stub.answer("GET /v1/subscribers/sub_1/secret", {"secret": SECRET})
        stub.answer("GET /v1/subscribers/sub_1", {"id": "sub_1", "public_key": PUBLIC_KEY})
        stub.answer("GET /v1/notifications/ntf_1", {"id": "ntf_1"})
        yield stub


@pytest.fixture
def verify(server: Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Runs the command on a message, its headers as a log has them."""
    for name in list(os.environ):
        if name.startswith("POSTBACK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("POSTBACK_HOME", str(tmp_path))
    monkeypatch.setenv("POSTBACK_URL", server.url)
    monkeypatch.setenv("POSTBACK_API_KEY", KEY)

    def command(message: Message, *options: str) -> Outcome:
        (tmp_path / "body").write_bytes(message.body)
        headers = [
            text for name, value in message.headers.items() for text in ("--header", f"{name.title()}:  {value}")
        ]
        capsys.readouterr()
        code = run(["verify", "--body", str(tmp_path / "body"), *headers, *options])
        return Outcome(code, *capsys.readouterr())

    return command


@pytest.fixture
def good() -> Message:
    """Signed when the test begins: what was signed when its file was loaded may be too old by then."""
    return signed("good", SECRET, [SECRET, PRIVATE_KEY])


MATCHES = Outcome(0, "The signature matches.\n", "")


@pytest.mark.parametrize("key", [("--secret", SECRET), ("--public-key", PUBLIC_KEY), ("--subscriber", "sub_1")])
def test_a_good_message(verify: Verify, good: Message, key: tuple[str, str]) -> None:
    assert verify(good, *key) == MATCHES


def test_a_subscriber_whose_messages_have_only_v1a(verify: Verify) -> None:
    assert verify(signed("v1a", PUBLIC_KEY, [PRIVATE_KEY]), "--subscriber", "sub_1") == MATCHES


def test_another_public_key(verify: Verify, good: Message) -> None:
    shown = verify(good, "--public-key", OTHER_KEYS[PUBLIC_KEY])
    assert (shown.code, shown.out) == (1, "")
    assert "the public key is another one" in shown.err


def test_json(verify: Verify, good: Message) -> None:
    shown = verify(Message("", SECRET, good.headers, BODY + b"\n"), "--secret", SECRET, "--json")
    answer = json.loads(shown.out)
    assert answer.keys() == {"ok", "mismatch", "explanation"}
    assert (answer["ok"], answer["mismatch"]) == (False, "changed_body")
    assert "a newline was added" in answer["explanation"]
    assert json.loads(verify(good, "--secret", SECRET, "--json").out) == {
        "ok": True,
        "mismatch": None,
        "explanation": "The signature matches.",
    }


def test_the_server_says_whether_it_knows_the_message(verify: Verify, good: Message) -> None:
    changed = Message("", SECRET, good.headers, b"{}")
    assert "The server does have a notification" in verify(changed, "--subscriber", "sub_1").err
    foreign = Message("", SECRET, good.headers | {"webhook-id": "ntf_2"}, BODY)
    assert "The server has no notification with this webhook-id" in verify(foreign, "--subscriber", "sub_1").err
    odd = Message("", SECRET, good.headers | {"webhook-id": "msg_\udcff/.."}, BODY)
    assert "comes from another sender" in verify(odd, "--subscriber", "sub_1").err
    unnamed = Message("", SECRET, {}, BODY)
    assert "notification" not in verify(unnamed, "--subscriber", "sub_1").err


def test_a_server_that_refuses_is_not_a_forgery(verify: Verify, good: Message, server: Stub) -> None:
    server.refuse("GET /v1/notifications/ntf_3", 503, "Not now.")
    shown = verify(Message("", SECRET, good.headers | {"webhook-id": "ntf_3"}, BODY), "--subscriber", "sub_1")
    assert (shown.code, "Not now." in shown.err, "forged" in shown.err) == (1, True, False)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "give one of"),
        (["--secret", SECRET, "--public-key", PUBLIC_KEY], "give one of"),
        (["--public-key", PUBLIC_KEY, "--subscriber", "sub_1"], "give one of"),
        (["--secret", SECRET, "--id", "ntf_1"], "either with --header"),
        (["--public-key", SECRET], "a public key starts with whpk_"),
        (["--public-key", "whpk_AAAA"], "this one holds 3"),
        (["--secret", SECRET, "--header", "nonsense"], "Name: value"),
    ],
)
def test_usage(verify: Verify, good: Message, options: list[str], says: str) -> None:
    shown = verify(good, *options)
    assert (shown.code, shown.out) == (2, "")
    assert says in " ".join(shown.err.replace("│", " ").split())
    assert SECRET not in shown.err
