"""The link that `postback serve` offers: to a person at a terminal, and to no log."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest
from e2e.eventually import eventually
from e2e.server import PROGRAM, Server, environment, free_port


def said_on_a_terminal(home: Path, role: str, until: str, then: Callable[[str], None]) -> str:
    """Runs `postback serve` with a terminal for its stderr; `then` gets what it said once `until` is in that."""
    mine, its = pty.openpty()
    env = environment(home, POSTBACK_PORT=free_port())
    process = subprocess.Popen([PROGRAM, "serve", f"--role={role}"], env=env, stdin=subprocess.DEVNULL, stderr=its)
    os.close(its)
    said = ""
    try:
        while until not in said:
            said += os.read(mine, 4_096).decode()  # EIO, and so an error, where it ended
        then(said)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()
            os.close(mine)
    return said


def sign_in(said: str) -> None:
    link = re.search(r"http://\S+/sign-in/\S+", said)
    assert link is not None, said
    origin = link[0].partition("/sign-in/")[0]
    with httpx.Client(trust_env=False, timeout=20, headers={"origin": origin}) as browser:
        answer = eventually(lambda: browser.post(link[0]))
        assert (answer.status_code, "postback_session" in browser.cookies) == (303, True)
        assert browser.head(f"{origin}/live").status_code == 200


def test_a_person_at_a_terminal_gets_a_link_that_signs_in(tmp_path: Path) -> None:
    said = said_on_a_terminal(tmp_path / "home", "api", "(good once, for 15 minutes)", sign_in)
    assert "Dashboard: " in said


def test_without_the_dashboard_there_is_no_link(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def answers(said: str) -> None:
        url = re.search(r"url=\S*?(http://[\d.:]+)", re.sub(r"\x1b\[[\d;]*m", "", said))
        assert url is not None, said
        eventually(lambda: httpx.get(f"{url[1]}/healthz", trust_env=False).status_code == 200)

    assert "sign-in" not in said_on_a_terminal(home, "receiver", "serving", answers)


def test_a_log_holds_no_link(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", {})
    try:
        server.start()
        assert '"serving"' in server.log
        assert "sign-in" not in server.log
    finally:
        server.kill()


@pytest.mark.parametrize("scope", ["read", "admin"])
def test_the_command_line_makes_one(tmp_path: Path, scope: str) -> None:
    server = Server(tmp_path / "home", {})
    try:
        server.start()
        env = server.env | {"POSTBACK_URL": server.url}
        made = subprocess.run(
            [PROGRAM, "sign-in", f"--scope={scope}"], env=env, capture_output=True, text=True, timeout=60, check=True
        )
        assert made.stdout.startswith(f"{server.url}/sign-in/")
        sign_in(made.stdout)
        assert "sign-in" not in server.log
    finally:
        server.kill()
