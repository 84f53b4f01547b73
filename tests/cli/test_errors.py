"""What goes wrong ends in one message that says what to do, and in the right exit code."""

from pathlib import Path

import pytest
from starlette.responses import HTMLResponse

from .conftest import Cli
from .stub import KEY, Stub


def test_unreachable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_URL", "http://127.0.0.1:1")
    shown = cli("jobs", "list")
    assert shown.code == 5
    assert shown.err.startswith("Error: no server answers at http://127.0.0.1:1 (")
    assert shown.err.endswith("Is it running? Start it with: postback serve\n")


def test_url_flag(cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_URL", "http://127.0.0.1:1")
    stub.answer("GET /v1/jobs", {"data": [], "next_cursor": None})
    assert cli("--url", stub.url, "jobs", "list").code == 0


def test_a_proxy_is_not_asked_for_the_loopback(cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    stub.answer("GET /v1/jobs", {"data": [], "next_cursor": None})
    assert cli("jobs", "list").code == 0


def test_something_else_answers(cli: Cli, stub: Stub) -> None:
    stub.answers["GET /v1/jobs"] = [HTMLResponse("<html>hello</html>")]
    shown = cli("jobs", "list")
    assert shown.code == 5
    assert "is not Postback" in shown.err
    assert "POSTBACK_URL" in shown.err


def test_wrong_key(cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_API_KEY", "wrong-key")
    shown = cli("jobs", "list")
    assert shown.code == 4
    assert shown.err.startswith(
        f"Error: {stub.url} does not know the API key of POSTBACK_API_KEY, or it was revoked.\n"
    )
    assert "postback config" in shown.err
    assert "postback keys create NAME" in shown.err
    assert "wrong-key" not in shown.err


def test_no_key(cli: Cli, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.delenv("POSTBACK_API_KEY")
    shown = cli("jobs", "list")
    assert shown.code == 4
    assert f"No API key was found in POSTBACK_API_KEY, POSTBACK_API_KEY_FILE and {home}/api.key" in shown.err


def test_the_generated_key(cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.delenv("POSTBACK_API_KEY")
    stub.answer("GET /v1/jobs", {"data": [], "next_cursor": None})
    (home / "api.key").write_text(f"{KEY}\n")
    assert cli("jobs", "list").code == 0


def test_a_key_that_cannot_be_read(cli: Cli, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.delenv("POSTBACK_API_KEY")
    (home / "api.key").write_bytes(b"\xff")
    shown = cli("jobs", "list")
    assert shown.code == 4
    assert f"cannot read the API key in {home}/api.key: it is not ASCII text" in shown.err


@pytest.mark.parametrize(
    "line",
    [
        "jobs show x",
        "jobs cancel x",
        "jobs resubmit x",
        "jobs delete x --yes",
        "subscribers show x",
        "subscribers update x --url https://example.com",
        "subscribers remove x --yes",
        "subscribers secret x",
        "subscribers rotate-secret x",
        "subscribers test x",
        "subscribers recover x --since 2h",
        "jobs watch x",
        "jobs save x .",
        "callbacks show x",
        "notifications show x",
        "deliveries show x",
        "deliveries redeliver x",
        "verify --subscriber x",
    ],
)
def test_not_found(cli: Cli, line: str) -> None:
    shown = cli(*line.split())
    assert (shown.code, shown.out) == (3, "")
    assert shown.err.startswith("Error: There is nothing at /v1/")
    noun = "subscribers" if line.startswith("verify") else line.split()[0]
    assert shown.err.endswith(f"See which there are with: postback {noun} list\n")


@pytest.mark.parametrize(("status", "code"), [(400, 2), (403, 4), (409, 1), (422, 2), (429, 1), (500, 1), (503, 1)])
def test_refusals(cli: Cli, stub: Stub, status: int, code: int) -> None:
    stub.refuse("POST /v1/jobs/job_1/cancel", status, "It is running.")
    shown = cli("jobs", "cancel", "job_1")
    assert shown.code == code
    assert shown.err.startswith("Error: It is running.\n")


@pytest.mark.parametrize(
    "line",
    [
        *["", "nonsense", "jobs", "jobs nonsense", "--url nonsense jobs list"],
        *["jobs list --limit 0", "jobs list --limit 251", "jobs list --created-after x"],
        *["submit flux-dev", "subscribers update sub_1", "subscribers add x --header nonsense"],
        *["subscribers recover sub_1", "serve --role cook", "serve --port http"],
        *["verify", "verify --secret x --subscriber y", "verify --secret whsec_x --tolerance x"],
        "verify --secret short --body /dev/null",
    ],
)
def test_usage(cli: Cli, stub: Stub, line: str) -> None:
    shown = cli(*line.split())
    assert shown.code == 2
    assert shown.out + shown.err
    assert not stub.asked


def test_a_missing_argument_is_named_with_an_example(cli: Cli, stub: Stub) -> None:
    shown = cli("submit")
    assert (shown.code, shown.err.splitlines()[0]) == (2, "Error: missing argument MODEL. Write for example:")
    shown = cli("submit", "flux-dev")
    assert (shown.code, stub.asked) == (2, [])
    assert "missing argument PROMPT" in shown.err
    assert "postback submit flux-dev '" in shown.err


def test_a_job_is_watched_whatever_its_state(cli: Cli, stub: Stub) -> None:
    shown = cli("jobs", "watch", "job_1", "--status", "failed")
    assert (shown.code, "cannot be combined with JOB" in shown.err) == (2, True)
    assert not stub.asked


def test_an_empty_id(cli: Cli, stub: Stub) -> None:
    assert cli("jobs", "show", "").code == 2
    assert not stub.asked


def test_an_id_is_one_part_of_the_path(cli: Cli, stub: Stub) -> None:
    assert cli("callbacks", "show", "../jobs?limit=1").code == 3
    assert stub.last.path.startswith("/v1/callbacks/")
    assert stub.last.query == {}


def test_bad_settings(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_PORT", "http")
    monkeypatch.setenv("POSTBACK_PROT", "1")
    shown = cli("jobs", "list")
    assert shown.code == 2
    assert shown.err == (
        "warning: POSTBACK_PROT is not a setting; did you mean POSTBACK_PORT?\n"
        "Error: POSTBACK_PORT is 'http', which is not accepted: it must be a port number from 0 to 65535\n"
    )


def test_the_unexpected_is_one_line(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/jobs", {"unexpected": []})
    shown = cli("jobs", "list")
    assert shown.code == 1
    assert shown.err == "Error: KeyError: 'data'\nSee more with: postback --debug …\n"
    assert "Traceback" in cli("--debug", "jobs", "list").err
