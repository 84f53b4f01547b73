"""The demo as its user runs it: a process of its own, of which only exit code and output count."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2 as httpx
import pytest

from postback.demo.stage import POSTBACK_PORT
from postback.demo.story import STORY

COMMAND = "from postback.cli import main; main()"

BROKEN = """
import sys
from starlette.responses import Response
from postback.demo import run
from postback.demo.echo import Echo
from postback.demo.story import Scene

class Mistaken(Echo):
    def trust(self, secret):
        super().trust("whsec_" + 32 * "A")

class Broken(Echo):
    async def receive(self, request):
        return Response(status_code=500)

def scene(prompt):
    return Scene("cat", "a cat", {"provider": "acedata", "model": "flux-dev", "input": {"prompt": prompt}}, images=1)

"""


@pytest.fixture(autouse=True)
def settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings that would ruin the demo, and maybe the user, if it took them; temporary folders go into `tmp_path`."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("POSTBACK_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("POSTBACK_RECEIVER_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("POSTBACK_API_KEY", "mine")
    monkeypatch.setenv("ACEDATA_BASE_URL", "http://127.0.0.1:1")


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error::ResourceWarning", "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        # A shell that runs the tests in the background has Ctrl-C ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def run(program: str, *arguments: str) -> tuple[int, str, str]:
    with start(program, *arguments) as process:
        try:
            out, err = process.communicate(timeout=90)
        finally:
            process.kill()
    return process.returncode, out, err


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody else listens on a port of this machine."""
    with ExitStack() as stack:
        with suppress(OSError):  # then somebody else already does
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def test_the_story_ends_well(tmp_path: Path) -> None:
    code, out, err = run(COMMAND, "demo", "--once")
    assert (code, err) == (0, ""), out
    lines = out.splitlines()
    for scene in STORY:
        told = [line for line in lines if f" {scene.title} " in line and "signature verified" in line]
        assert len(told) == 1, scene
        assert "webhook ntf_" in told[0]
        assert scene.event in told[0]
    assert "3 images, 1 failed" in out
    assert "NOT" not in out
    assert "All 5 jobs ended as they should, and all 5 webhooks arrived and verified." in out
    assert "attempt 1 (schedule): HTTP 204" in out
    assert "\x1b" not in out
    assert "/sign-in/" not in out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("broken", "complaints"),
    [
        pytest.param(
            "run(True, story=[scene('a cat [delay=0s]')], echo=Mistaken())",
            [
                "cat: no verified job.succeeded webhook arrived",
                "cat: its delivery is dead: the subscriber answered HTTP 401",
                "did not verify: No v1 signature matches",
            ],
            id="signature",
        ),
        pytest.param(
            "run(True, story=[scene('a cat [delay=0s]')], echo=Broken())",
            [
                "cat: no verified job.succeeded webhook arrived",
                "cat: its delivery is dead: the subscriber answered HTTP 500",
            ],
            id="delivery",
        ),
        pytest.param(
            "run(True, story=[scene('a cat [delay=0s] [fail=forbidden]')])",
            [
                "cat: the job is failed (forbidden: The simulator was asked for forbidden.), not succeeded",
                "cat: no verified job.succeeded webhook arrived",
            ],
            id="job",
        ),
        pytest.param(
            "run(True, story=[scene('a cat [delay=5m]')], patience=1)",
            ["cat: the job is pending, not succeeded", "cat: no verified job.succeeded webhook arrived"],
            id="patience",
        ),
    ],
)
def test_what_is_broken_is_told(broken: str, complaints: list[str], tmp_path: Path) -> None:
    code, out, err = run(f"{BROKEN}sys.exit({broken})")
    assert (code, err) == (1, ""), out
    told = out.partition("The end of the story\n")[2].partition("\n\n")[0].splitlines()
    assert len(told) == len(complaints), out
    for line, complaint in zip(told, complaints, strict=True):
        assert line.startswith("✗ ")
        assert complaint in line
    (home,) = tmp_path.iterdir()
    assert f"What is in {home} is kept" in out
    assert (home / "demo.log").is_file()


def test_it_keeps_running_until_ctrl_c(tmp_path: Path) -> None:
    with taken(POSTBACK_PORT), start(f"{BROKEN}sys.exit(run(False, story=[scene('a cat [delay=0s]')]))") as process:
        assert process.stdout is not None
        out = ""
        try:
            while "Ctrl-C ends it" not in out:
                line = process.stdout.readline()
                assert line, out
                out += line
            assert process.poll() is None
            link = re.search(r"Watch it in a browser: ((http://\S+)/sign-in/\S+) ", out)
            assert link is not None, out
            assert httpx.post(link[1], headers={"origin": link[2]}, trust_env=False).status_code == 303
            before = time.monotonic()
            process.send_signal(signal.SIGINT)
            rest, err = process.communicate(timeout=90)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert time.monotonic() - before < 10
    assert "Stopping." in rest
    assert f"port {POSTBACK_PORT} is taken" in out
    for place in ("curl ", "/docs", "jobs list", "README.md", "api.key"):
        assert place in out
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, out, err = run(COMMAND, "demo", "--once", "--home", str(tmp_path / "file" / "home"))
    assert code == 1
    assert err.startswith("Error: cannot write to ")
    assert "Choose a folder you own with --home" in err
    assert "Traceback" not in out + err
