"""The examples as their reader runs them: each a process of its own, in a copy of its folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
from e2e.eventually import eventually
from e2e.server import free_port
from verify.messages import SECRET, Message
from verify.node import INSTALL, NodeUnavailable

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """How an endpoint is started and its inbox dealt with. `{port}` stands for the port."""

    folder: str
    serve: tuple[str, ...]
    handle: tuple[str, ...]
    inbox: str


def _python(*serve: str) -> Example:
    return Example("receiving", (sys.executable, *serve), (sys.executable, "handle.py", "--once"), "inbox.sqlite3")


RECEIVING = {
    "with_starlette.py": _python("-m", "uvicorn", "with_starlette:app", "--port", "{port}"),
    "with_fastapi.py": _python("-m", "uvicorn", "with_fastapi:app", "--port", "{port}"),
    "with_flask.py": _python("-m", "flask", "--app", "with_flask", "run", "--port", "{port}"),
    "with_django.py": _python("with_django.py", "runserver", "--noreload", "{port}"),
    "express/server.js": Example(
        "receiving/express", ("node", "server.js"), ("node", "handle.js", "--once"), inbox="inbox"
    ),
}


@dataclass(frozen=True)
class Endpoint:
    """A running example."""

    url: str
    folder: Path
    example: Example

    @property
    def inbox(self) -> Path:
        return self.folder / self.example.inbox

    def post(self, message: Message) -> int:
        """The status that it answers a message with."""
        headers = {"content-type": "application/json", **message.headers}
        return httpx.post(self.url, content=message.body, headers=headers, timeout=10, trust_env=False).status_code

    def handled(self) -> list[str]:
        """What its inbox's worker prints."""
        ended = subprocess.run(
            self.example.handle, cwd=self.folder, capture_output=True, encoding="utf-8", timeout=30, check=True
        )
        assert ended.stderr == ""
        return ended.stdout.splitlines()


@contextmanager
def running(example: Example, folder: Path) -> Iterator[Endpoint]:
    """The example on a free port, with its files in that folder. Raises `NodeUnavailable`."""
    shutil.copytree(
        EXAMPLES / example.folder, folder, ignore=shutil.ignore_patterns("node_modules", "inbox*3", "inbox")
    )
    if example.serve[0] == "node":
        _install(folder)
    port = free_port()
    command = [word.format(port=port) for word in example.serve]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    log = folder / "example.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    endpoint = Endpoint(f"http://127.0.0.1:{port}/webhook", folder, example)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(endpoint.url, timeout=5, trust_env=False).is_client_error
        except httpx.TransportError:
            return False

    try:
        eventually(answers, within=60)
        yield endpoint
    finally:
        process.kill()
        process.wait(10)


def _install(folder: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        raise NodeUnavailable("node and npm are not installed")
    ended = subprocess.run(INSTALL, cwd=folder, capture_output=True, encoding="utf-8", timeout=120)
    if ended.returncode:
        raise NodeUnavailable(f"npm ci failed: {ended.stderr.strip()}")
