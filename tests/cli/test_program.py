"""The program as a whole: what is in it, how it starts, its settings, and what it writes for terminals."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from postback.cli import app, output
from postback.cli.options import read_instant
from postback.settings import Settings
from receiver import signing

from .conftest import Cli
from .samples import SECRET
from .stub import Stub

COMMANDS = [
    *["demo", "serve", "submit", "verify", "config", "migrate", "backup", "doctor", "rekey", "simulator", "listen"],
    "tail",
    *(f"jobs:{verb}" for verb in ("list", "show", "watch", "cancel", "resubmit", "save", "delete")),
    *(f"subscribers:{verb}" for verb in ("add", "list", "show", "update", "remove")),
    *(f"subscribers:{verb}" for verb in ("secret", "rotate-secret", "test", "recover", "audit")),
    *(f"callbacks:{verb}" for verb in ("list", "show")),
    *(f"notifications:{verb}" for verb in ("list", "show")),
    *(f"deliveries:{verb}" for verb in ("list", "show", "redeliver")),
    *(f"keys:{verb}" for verb in ("create", "list", "revoke")),
    "sign-in",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cli: Cli, command: str) -> None:
    shown = cli(*command.split(":"), "--help")
    assert shown.code == 0
    assert shown.out.startswith(f"Usage: postback {command.replace(':', ' ')} ")


def test_there_are_no_other_commands() -> None:
    root = typer.main.get_command(app)
    found = set()
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        children = getattr(command, "commands", None)
        found |= {f"{name}:{child}" for child in children} if children else {name}
    assert found == set(COMMANDS)


def test_help_is_in_groups(cli: Cli) -> None:
    commands = cli("--help").out
    headings = ["Options:", "Begin:", "Jobs and what comes back:", "Webhooks, and what they are told:", "Operate:"]
    assert [line for line in commands.splitlines() if line.endswith(":")] == headings
    assert "..." not in commands.replace("[ARGS]...", ""), "nothing is cut off"
    options = [line for line in cli("submit", "--help").out.splitlines() if line.endswith(":")]
    assert options == ["Arguments:", "What is drawn:", "Who is told:", "Waiting for it:", "Options:"]


HELPS = [["--help"], ["submit", "--help"], ["jobs", "watch", "--help"], ["serve", "--help"], ["--version"]]


@pytest.mark.parametrize("arguments", HELPS)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from postback.cli import run; code = run(sys.argv[1:]); "
        "print(code, sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=30, check=True
    )
    assert ended.stderr.startswith("0 ")
    for heavy in ("httpx2", "sqlalchemy", "starlette", "rich", "asyncio", "uvicorn"):
        assert f"'{heavy}'" not in ended.stderr


def test_version(cli: Cli) -> None:
    assert cli("--version").out == "postback 0.1.0\n"


def test_config(cli: Cli, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.delenv("POSTBACK_API_KEY")
    (home / "api.key").write_text("hidden")
    (home / "dashscope").write_text("hidden")
    monkeypatch.setenv("DASHSCOPE_API_KEY_FILE", str(home / "dashscope"))
    monkeypatch.setenv("POSTBACK_DATABASE_URL", "postgresql://u:hidden@db/x")
    shown = cli("--url", "http://flag:1", "config")
    assert shown.code == 0
    assert "hidden" not in shown.out
    lines = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines()[1:]}
    assert lines.keys() == {field.validation_alias for field in Settings.model_fields.values()}
    assert lines["POSTBACK_HOME"] == [str(home), "environment"]
    assert lines["POSTBACK_URL"] == ["http://flag:1", "flag"]
    assert lines["POSTBACK_API_KEY"] == ["********", "generated"]
    assert lines["DASHSCOPE_API_KEY"] == ["********", "file"]
    assert lines["POSTBACK_DATABASE_URL"] == ["postgresql://u:********@db/x", "environment"]
    assert lines["POSTBACK_PORT"] == ["8414", "default"]
    assert lines["POSTBACK_SECRET_KEYS"] == ["–", "default"]
    rows = cli("config", "--json").json
    assert [row["variable"] for row in rows] == list(lines)
    assert "hidden" not in json.dumps(rows)


@pytest.fixture
def webhook(tmp_path: Path) -> list[str]:
    (tmp_path / "body").write_bytes(b'{"type":"job.succeeded"}')
    headers = signing.headers([SECRET], "ntf_1", int(time.time()), b'{"type":"job.succeeded"}')
    return [
        *["verify", "--id", headers["webhook-id"], "--timestamp", headers["webhook-timestamp"]],
        *["--signature", headers["webhook-signature"], "--body", str(tmp_path / "body")],
    ]


def test_verify(cli: Cli, stub: Stub, webhook: list[str]) -> None:
    stub.answer("GET /v1/subscribers/sub_1/secret", {"secret": SECRET})
    for secret in (["--secret", SECRET], ["--subscriber", "sub_1"]):
        assert cli(*webhook, *secret).out == "The signature matches.\n"
    assert cli(*webhook, "--secret", SECRET, "--json").json["ok"] is True


def test_verify_says_why_not(cli: Cli, webhook: list[str], tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"{}")
    shown = cli(*webhook, "--secret", SECRET)
    assert (shown.code, shown.out) == (1, "")
    assert "No v1 signature matches" in shown.err
    assert cli(*webhook, "--secret", SECRET, "--json").json["mismatch"] == "wrong_signature"
    assert cli(*webhook, "--secret", SECRET, "--body", str(tmp_path / "none")).code == 2


def test_verify_reads_standard_input(home: Path) -> None:
    headers = signing.headers([SECRET], "ntf_1", int(time.time()), b"\xff")
    line = ["verify", "--secret", SECRET, "--id", "ntf_1", "--timestamp", headers["webhook-timestamp"]]
    program = "from postback.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, *line, "--signature", headers["webhook-signature"]],
        input=b"\xff",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, b"The signature matches.\n")


NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2h", "2026-01-31T10:00:00.000Z"),
        ("2026-01-30", "2026-01-30T00:00:00.000Z"),
        ("2026-01-30T01:02:03.5Z", "2026-01-30T01:02:03.500Z"),
        ("2026-01-30T01:00:00+08:00", "2026-01-29T17:00:00.000Z"),
    ],
)
def test_instants(text: str, instant: str) -> None:
    assert read_instant(text, NOW) == instant


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "999999999d", "0001-01-01T00:00:00+23:59"])
def test_bad_instants(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time"):
        read_instant(text, NOW)


def test_the_terminal_is_not_steered() -> None:
    assert output.clean("a\x1b[31mb\x07\x9bc\td\n") == "a\ufffd[31mb\ufffd\ufffdc\td\n"


def test_the_status_line_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.status_line() as line:
        for moment in range(3):
            line.show("queued", f"{moment} s")
        line.show("running", "3 s")
    assert capsys.readouterr() == ("", "queued\nrunning\n")


def test_the_status_line_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with output.status_line() as line:
        line.show("running", "3 s")
    assert "running" in capsys.readouterr().err
