"""`postback listen` from the command line: what it refuses, and how it ends."""

import subprocess
import sys

import pytest

from postback.cli.feed import Feed
from postback.cli.listen import secret_of
from receiver import signing
from tests.cli.conftest import Cli
from tests.cli.stub import KEY, Stub

TO = ("listen", "--forward-to", "http://localhost:3000/hook")


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:3000/hook", "ftp://localhost/", "http://", "http:///hook", "http://[", "http://localhost:x/"),
        *("http://localhost:99999/", "http://local host/", "http://localhost/\n"),
    ],
)
def test_what_is_no_address_is_refused(cli: Cli, stub: Stub, url: str) -> None:
    outcome = cli("listen", "--forward-to", url)
    assert outcome.code == 2
    assert "http://localhost:3000/hook" in outcome.err
    assert stub.asked == []


def test_a_password_in_the_address_is_refused_and_not_repeated(cli: Cli) -> None:
    outcome = cli("listen", "--forward-to", "http://me:hunter2@localhost/")
    assert outcome.code == 2
    assert "hunter2" not in outcome.err


@pytest.mark.parametrize("secret", ["hunter2", "whsec_c2hvcnQ=", "whsk_x", ""])
def test_a_bad_secret_is_refused_and_not_repeated(cli: Cli, secret: str) -> None:
    outcome = cli(*TO, "--secret", secret)
    assert outcome.code == 2
    assert "--secret" in outcome.err
    assert "hunter2" not in outcome.err


def test_a_bad_key_is_4(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_API_KEY", "the-wrong-key")
    outcome = cli(*TO)
    assert outcome.code == 4
    assert "POSTBACK_API_KEY" in outcome.err
    assert "whsec_" not in outcome.err


def test_no_key_is_4(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTBACK_API_KEY")
    assert cli(*TO).code == 4


def test_no_server_is_5(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_URL", "http://127.0.0.1:1")
    outcome = cli(*TO)
    assert outcome.code == 5
    assert "postback serve" in outcome.err


def test_what_is_not_postback_is_5(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/stream", {})
    outcome = cli(*TO)
    assert outcome.code == 5
    assert "is not Postback" in outcome.err


def test_bad_events_are_2(cli: Cli, stub: Stub) -> None:
    stub.refuse("GET /v1/stream", 422, "events: there is no event type 'job.won'.")
    outcome = cli(*TO, "--events", "job.won", "--events", "job.lost,job.failed")
    assert outcome.code == 2
    assert "job.won" in outcome.err
    assert stub.last.query == {"events": "job.won,job.lost,job.failed"}


def test_ctrl_c_while_it_waits_for_the_server_is_0(cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.refuse("GET /v1/stream", 503, "Not possible at the moment.")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(Feed.__init__.__kwdefaults__, "sleep", interrupted)
    outcome = cli(*TO)
    assert outcome.code == 0
    assert outcome.err.splitlines()[0].startswith("Disconnected: Not possible")
    assert outcome.err.splitlines()[-1] == "Stopped."


def test_the_signing_secret_belongs_to_the_key_and_does_not_show_it() -> None:
    secret = secret_of(KEY)
    assert len(signing.parse_secret(secret)) == 32
    assert secret == secret_of(KEY) != secret_of(f"{KEY}2")
    assert KEY not in secret
    assert KEY.encode() not in signing.parse_secret(secret)


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from postback.cli import run; run(['listen', '--help']);"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "--forward-to" in ended.stdout
    for heavy in ("httpx2", "receiver", "cryptography", "sqlalchemy", "rich"):
        assert f"'{heavy}'" not in ended.stderr
