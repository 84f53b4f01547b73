"""Jobs and callbacks sent to a server whose files are recorded; each acknowledgement with its place in the log."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
from e2e.eventually import eventually
from e2e.server import free_port

from ledger.clock import system_now
from ledger.keys import SecretKeys
from ledger.tokens import CallbackTokens
from tests.power.recording import read
from tests.torture.process import Process

CLIENTS = 6
KEYS = "a-secret-key-for-the-power-cut"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A job, or a callback for it, that was answered 2xx when the log was so long. `callback` tells which."""

    job_id: str
    callback: bool
    at: int


def run(folder: Path, library: Path, jobs: int, sabotage: str = "", *, apart: bool = False) -> list[Acknowledged]:
    """Has a server in `folder/home` acknowledge that many jobs and callbacks, and kills it. The log is `folder/log`.

    If `apart`, callbacks are written by its second writer.
    """
    home = folder / "home"
    settings = {
        "POSTBACK_DATABASE_URL": f"sqlite:///{home}/postback.sqlite3",
        "POSTBACK_SECRET_KEYS": KEYS,
        "POSTBACK_ARCHIVE": 0,
        "LD_PRELOAD": library,
        "RECORDER_LOG": folder / "log",
        "RECORDER_FOLDER": home,
    }
    server = Process(home, settings, ("api", "receiver"), free_port(), BREAK=sabotage, APART="1" if apart else "")
    try:
        server.start()
        first = _begun_apart(server, folder / "log") if apart else []
        with ThreadPoolExecutor(CLIENTS) as clients:
            parts = [clients.submit(_client, server, folder / "log", jobs // CLIENTS) for _ in range(CLIENTS)]
            return sorted((*first, *(one for part in parts for one in part.result())), key=lambda one: one.at)
    finally:
        server.kill()


def _begun_apart(server: Process, log: Path) -> list[Acknowledged]:
    """The first job and callback of all, once the second writer that they start has opened SQLite's log, too."""
    first = _client(server, log, 1)
    eventually(lambda: sum(one.kind == "N" and one.content.endswith(b"-wal") for one in read(log)) == 2, 30)
    return first


def _client(server: Process, log: Path, jobs: int) -> list[Acknowledged]:
    tokens = CallbackTokens(SecretKeys([KEYS]), system_now)
    seen: list[Acknowledged] = []
    key = {"Authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as http:
        for _ in range(jobs):
            order = {"model": "flux-schnell", "input": {"prompt": f"a lighthouse {uuid.uuid4()}"}}
            answer = http.post("/v1/jobs", json=order, headers=key)
            assert answer.status_code == 202, answer.text
            job_id = answer.json()["id"]
            seen.append(Acknowledged(job_id, False, log.stat().st_size))
            output = {"task_id": job_id, "task_status": "SUCCEEDED", "results": [{"url": "https://a.example/1.png"}]}
            body = json.dumps({"request_id": "r", "output": output, "padding": "x" * 2_000})
            answer = http.post(f"/callbacks/{tokens.mint(job_id, 'dashscope')}", content=body, headers=_JSON)
            assert answer.status_code == 200, answer.text
            seen.append(Acknowledged(job_id, True, log.stat().st_size))
    return seen


_JSON = {"content-type": "application/json"}
