"""The programs that are measured, each as a process of its own on a port of its own."""

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from e2e.eventually import eventually
from e2e.server import Server, free_port

from .stock import SETTINGS

ROOT = Path(__file__).parents[2]


@contextmanager
def postback(home: Path, *roles: str, **settings: object) -> Iterator[Server]:
    """`postback serve` with these roles, once it has loaded all of itself."""
    server = Server(home, SETTINGS | settings, roles)
    try:
        server.start()
        _loaded(server.port)
        yield server
    finally:
        server.kill()


def _loaded(port: int) -> None:
    """Asks for what is nowhere: only when everything is there can the server say so."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/nowhere", timeout=30).close()
    except urllib.error.HTTPError as answer:
        answer.close()


@contextmanager
def program(module: str, *arguments: object, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """A server of `tests.bench`, given its port and then the arguments; its port."""
    port = free_port()
    command = [sys.executable, "-m", f"tests.bench.{module}", str(port), *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(port), 30)
        yield port
    finally:
        process.kill()
        process.wait(10)


def listens(port: int) -> bool:
    """Whether something accepts connections there."""
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
