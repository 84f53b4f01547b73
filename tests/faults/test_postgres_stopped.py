"""Row 51: PostgreSQL is stopped at once while callbacks come in and deliveries go out, and started again.

The same process goes on by itself: what was answered 2xx is there, what is owed arrives, and meanwhile it says so. What
was under way is recorded once the database is back: an outage that is shorter than a lease sends nothing twice.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import pytest
from databases import Postgres, postgres_server
from e2e import acedata
from e2e.eventually import eventually
from e2e.listener import verified
from e2e.scene import Hook, Scene, opened
from e2e.server import unexpected
from e2e.wire import Reply, Stage, reply

from tests.faults.psql import ask

JOBS = 120
CLIENTS = 6
BEFORE, DURING = 30, 30
"""How many callbacks are taken before the stop, and how many are refused before the start."""

PAUSE = 0.03
AWAY: dict[str, object] = {"POSTBACK_ACEDATA_POLL_AFTER": "1h", "POSTBACK_ACEDATA_SUBMIT_RATE": 1_000}
OWED = "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'delivering')"


@pytest.fixture
def server(postgres: Postgres) -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, where the tests' one can run."""
    with postgres_server() as server:
        yield server


def stop_at_once(server: Postgres) -> None:
    """As `pg_ctl stop -m immediate`: no connection is ended properly, nothing is checkpointed."""
    lock = server.folder / "postmaster.pid"
    os.kill(int(lock.read_text().split()[0]), signal.SIGQUIT)
    eventually(lambda: not lock.exists(), pause=0.01)


def start_again(server: Postgres) -> None:
    """On the same folder; returns when it takes connections."""
    owner = server.folder.stat().st_uid
    whose = {} if owner == os.geteuid() else {"user": owner, "extra_groups": []}
    command = [server.programs / "pg_ctl", "--silent", "--wait", f"--pgdata={server.folder}"]
    log = f"--log={server.folder / 'log'}"
    subprocess.run([*command, log, "start"], check=True, cwd=server.folder, timeout=30, **whose)  # type: ignore[call-overload]


@dataclass
class Provider:
    """Posts results as a provider does: until they are taken."""

    urls: dict[str, str]
    taken: list[str] = field(default_factory=list)
    refused: list[httpx.Response] = field(default_factory=list)

    def post(self, number: int, deadline: float) -> None:
        """Every result whose turn it is."""
        with httpx.Client(timeout=20, trust_env=False) as http:
            for prompt, url in list(self.urls.items())[number::CLIENTS]:
                while (answer := http.post(url, json=acedata.outcome(f"t-{prompt}"))).status_code != 200:
                    assert answer.status_code == 503, answer.text
                    assert time.monotonic() < deadline, answer.text
                    self.refused.append(answer)
                    time.sleep(PAUSE)
                self.taken.append(prompt)
                time.sleep(PAUSE)


def test_postgres_is_stopped_at_once_in_the_middle_of_everything(
    wires: Stage, tmp_path: Path, server: Postgres
) -> None:
    url = server.url("postgres")
    with opened(wires, tmp_path, url, **AWAY) as house:
        hook = house.subscribe(events=["job.succeeded"])
        house.listener.replies[hook.path] = [Reply(204, delay=0.1)] * (2 * JOBS)
        jobs = _submitted(house)
        wires.call(asyncio.sleep(0), 60)  # the stand-ins are busy with what they were sent, and answer nobody meanwhile
        provider = Provider({prompt: house.acedata.callback_url(prompt) for prompt in jobs})
        with ThreadPoolExecutor(CLIENTS) as clients:
            posting = [clients.submit(provider.post, number, time.monotonic() + 60) for number in range(CLIENTS)]
            eventually(lambda: len(provider.taken) >= BEFORE, pause=0.01)
            stop_at_once(server)
            eventually(lambda: len(provider.refused) >= DURING)
            before = len(provider.taken)
            meanwhile = [house.api.http.get(path) for path in ("/readyz", "/v1/jobs", "/healthz")]
            start_again(server)
            eventually(lambda: house.api.http.get("/readyz").status_code == 200)
            for one in posting:
                one.result()
        assert BEFORE <= before < JOBS, "it stopped in the middle"
        assert [answer.status_code for answer in meanwhile] == [503, 503, 200]
        for answer in [*provider.refused, *meanwhile[:2]]:
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["type"] == "urn:postback:problem:unavailable"

        # A claim that was committed unheard is due again when its lease ends.
        eventually(lambda: ask(server, url, OWED) == "0", 60, pause=0.3)
        _all_is_there(house, hook, jobs)
        assert unexpected(house.server.log) == []


def _submitted(house: Scene) -> dict[str, str]:
    """Job ids by prompt, when the provider has them all."""
    prompts = [f"job {number}" for number in range(JOBS)]
    for prompt in prompts:
        house.acedata.script.write(prompt, submit=[reply({"task_id": f"t-{prompt}"})])
        house.acedata.calls_back(prompt)  # with nothing: the test does that
    with ThreadPoolExecutor(CLIENTS) as clients:
        made = clients.map(lambda prompt: house.api.submit("flux-kontext-pro", prompt), prompts)
        jobs = {prompt: str(job["id"]) for prompt, job in zip(prompts, made, strict=True)}
    eventually(lambda: house.api.http.get("/v1/jobs", params={"status": "queued"}).json()["data"] == [])
    eventually(lambda: house.api.http.get("/v1/jobs", params={"status": "submitting"}).json()["data"] == [])
    return jobs


def _all_is_there(house: Scene, hook: Hook, jobs: dict[str, str]) -> None:
    assert {job["id"]: job["status"] for job in house.api.all("/jobs")} == dict.fromkeys(jobs.values(), "succeeded")
    kept = Counter(one["job_id"] for one in house.api.all("/callbacks", verdict="accepted"))
    assert kept == Counter(jobs.values()), "each result is there once, and nothing else"
    deliveries = house.api.all("/deliveries")
    assert {one["status"] for one in deliveries} == {"delivered"}
    told = Counter(verified(one, hook.document["secret"])["data"]["id"] for one in hook.listener.at(hook.path))
    assert set(told) == set(jobs.values()), "every delivery arrived"
    # Not one each: a listener that answers too late is asked again, and that is no fault of the database.
    attempts = Counter({one["job_id"]: one["attempt_count"] for one in deliveries})
    assert not told - attempts, "every POST that arrived is a recorded attempt"
