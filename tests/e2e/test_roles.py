"""On PostgreSQL each role can be a process of its own."""

from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx
import pytest
from e2e.acedata import AceData
from e2e.api import Api
from e2e.dashscope import DashScope
from e2e.listener import Listener
from e2e.scene import Scene, settings_for
from e2e.server import Server, free_port, unexpected
from e2e.wire import Stage

RATE = 5
JOBS = 21


@pytest.mark.parametrize("roles", [("receiver", "api", "dispatcher", "dispatcher", "forwarder")])
def test_a_process_for_each_role(stage: Stage, tmp_path: Path, postgres_url: str, roles: tuple[str, ...]) -> None:
    dash, ace, listener = DashScope(stage), AceData(stage), Listener(stage)
    receiver = free_port()
    settings = settings_for((dash, ace), postgres_url) | {
        "POSTBACK_PUBLIC_URL": f"http://127.0.0.1:{receiver}",
        "POSTBACK_API_KEY": "a-key-of-all-processes",
        "POSTBACK_DASHSCOPE_SUBMIT_RATE": RATE,
        "POSTBACK_ACEDATA_POLL_AFTER": "1h",
    }
    servers = [
        Server(tmp_path / f"{role}-{number}", settings, [role], receiver if role == "receiver" else 0)
        for number, role in enumerate(roles)
    ]
    with ExitStack() as stack:
        for wire in (dash.wire, ace.wire, listener.wire):
            stack.callback(wire.close)
        for server in servers:
            stack.callback(server.kill)
            server.begin()  # all at once: one of them migrates, the others wait for it
        for server in servers:
            server.ready()
        api = Api(servers[1].url, servers[1].key)
        stack.enter_context(api.http)
        house = Scene(servers[1], api, dash, ace, listener)
        hook = house.subscribe(events=["job.succeeded"])
        jobs = [api.submit("flux-schnell", f"job {number}") for number in range(JOBS)]
        jobs.append(api.submit("flux-kontext-pro", "with a callback"))
        for job in jobs:
            hook.notified(job["id"], "job.succeeded", 30)
        assert set(dash.script.submissions.values()) == {1}
        times = sorted(request.at for request in dash.submitted)
        assert times[-1] - times[0] > 0.75 * (JOBS - 1) / RATE, "two dispatchers share one pace"
        assert ace.callback_url("with a callback").startswith(f"http://127.0.0.1:{receiver}/callbacks/")
        assert [answer.json() for answer in ace.answers["with a callback"]] == [{"verdict": "accepted"}]
        for server, role in zip(servers, roles, strict=True):
            _serves_only(server, role)
            assert server.stop()[0] == 0
            assert unexpected(server.log) == []


def _serves_only(server: Server, role: str) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        jobs = client.get("/v1/jobs", headers={"Authorization": f"Bearer {server.key}"})
        assert jobs.status_code == (200 if role == "api" else 404)
        callback = client.post("/callbacks/x", content=b"{}", headers={"Content-Type": "application/json"})
        assert callback.headers["content-type"] == "application/problem+json"
        assert callback.status_code == 404
        assert client.get("/callbacks/x").status_code == (405 if role == "receiver" else 404)
