"""How long it takes from starting the program to its first accepted callback, and to the end of `postback --help`."""

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.server import PROGRAM, environment, free_port

from .accept import HOOK
from .line import Line, at_most, compare, in_turn
from .size import Size
from .stock import SETTINGS, Owed, expecting, unexpected

BARE = """
import sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="warning")
"""
PATIENCE = 60.0
PAUSE = 0.002


def lines(size: Size) -> list[Line]:
    """All roles, on a database that was used before, as after an upgrade or a crash."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        owed = asyncio.run(expecting(f"sqlite:///{home / 'postback.sqlite3'}", 2 * size.starts + 1, HOOK))
        first_accept(home, owed.pop())  # and only now are the modules compiled and in memory
        rounds = in_turn(
            size.starts,
            ours=lambda: first_accept(home, owed.pop()),
            bare=bare_start,
            again=lambda: first_accept(home, owed.pop()),
        )
        env = environment(home)
        command_line = in_turn(
            2 * size.starts + 1,
            ours=lambda: ended([PROGRAM, "--help"], env),
            bare=lambda: ended([sys.executable, "-c", "pass"], env),
            again=lambda: ended([PROGRAM, "--help"], env),
        )
    what = "start of `postback serve` to its first accepted callback"
    limit = "limit: `python -c` that runs uvicorn"
    helping = compare("", "", at_most(200), command_line, "bare", figure=float, measured_in="ms")
    return [
        compare(what, limit, at_most(2), rounds, "bare", figure=float, measured_in="ms"),
        Line(
            "`postback --help`",
            "limit: `python -c pass`",
            command_line["ours"],
            at_most(200),
            itself=helping.itself,
            unit="ms",
            measured=helping.measured,
            measured_in="ms",
        ),
    ]


def first_accept(home: Path, owed: Owed) -> float:
    """Milliseconds until the program, started now, has accepted a callback."""
    port = free_port()
    env = environment(home, **SETTINGS, POSTBACK_PORT=port)
    return _answered([PROGRAM, "serve"], env, port, owed.wire, b"200")


def bare_start() -> float:
    """Milliseconds until a server of nothing but uvicorn, started now, has answered a POST."""
    port = free_port()
    return _answered([sys.executable, "-c", BARE, str(port)], None, port, unexpected(1)[0], b"202")


def ended(command: Sequence[str], env: Mapping[str, str]) -> float:
    """Milliseconds that a command takes to its end."""
    began = time.monotonic()
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - began) * 1_000


def _answered(command: Sequence[str], env: Mapping[str, str] | None, port: int, wire: bytes, status: bytes) -> float:
    began = time.monotonic()
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=env, **quiet) as process:
        try:
            while (answer := _asked(port, wire)) is None:
                if process.poll() is not None or time.monotonic() - began > PATIENCE:
                    raise SystemExit(f"{Path(command[0]).name} did not start")
                time.sleep(PAUSE)
            took = time.monotonic() - began
        finally:
            process.kill()
    if answer != status:
        raise SystemExit(f"the first callback was answered {answer.decode()}")
    return took * 1_000


def _asked(port: int, wire: bytes) -> bytes | None:
    """The status of the answer; None as long as nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            connection.sendall(wire)
            return connection.recv(65_536)[9:12] or None
    except ConnectionError:
        return None
