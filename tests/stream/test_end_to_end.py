"""A real server, the real command, and an endpoint on this machine that the public libraries guard."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.dashscope import task
from e2e.eventually import eventually
from e2e.listener import Listener, verified
from e2e.scene import Hook, Scene, opened
from e2e.server import unexpected
from e2e.wire import Reply, Stage

from .program import Listen, listening

MODELS = ("flux-schnell", "flux-kontext-pro")


@pytest.fixture(scope="module")
def wires() -> Iterator[Stage]:
    """Where the stand-ins live."""
    wires = Stage()
    yield wires
    wires.close()


@pytest.fixture
def local(wires: Stage) -> Iterator[Listener]:
    """The application that somebody develops."""
    local = Listener(wires)
    yield local
    local.wire.close()


@pytest.fixture
def house(wires: Stage, tmp_path: Path, sqlite_url: str) -> Iterator[Scene]:
    with opened(wires, tmp_path, sqlite_url) as house:
        yield house


def submit(house: Scene, count: int) -> None:
    for number in range(count):
        house.api.submit(MODELS[number % 2], f"a fox, 灯塔 \u2028 {number}")


def all_arrived(house: Scene, local: Listener, subscriber: Hook, jobs: int) -> None:
    """Waits until every job has ended and everything that was told of it came, once and good."""

    def look() -> bool:
        assert [job["status"] for job in house.api.all("/jobs")] == ["succeeded"] * jobs
        told = sorted(one["id"] for one in house.api.all("/notifications"))
        assert len(told) >= jobs
        assert sorted(one.headers["webhook-id"] for one in local.received) == told
        assert {one.headers["webhook-id"] for one in subscriber.listener.at(subscriber.path)} == set(told)
        return True

    eventually(look, 60)


def test_everything_arrives_once_though_the_server_is_killed(
    wires: Stage, local: Listener, tmp_path: Path, database_url: str
) -> None:
    with opened(wires, tmp_path, database_url) as house:
        subscriber = house.subscribe()
        url = f"{local.wire.url}/hook"
        with listening(tmp_path, house.server.env, "--forward-to", url) as listen:
            secret = listen.secret
            submit(house, 4)
            all_arrived(house, local, subscriber, 4)
            prompts = [f"an owl {number}" for number in range(4)]
            for prompt in prompts:
                house.dashscope.script.write(prompt, fetch=[task("held", "RUNNING")])
            held = [house.api.submit("flux-schnell", prompt)["id"] for prompt in prompts]
            for job_id in held:
                house.api.reached(job_id, "running")
            house.server.kill()
            listen.said("Disconnected")
            for prompt in prompts:
                house.dashscope.script.write(prompt)  # from now on it is done
            house.server.start()
            submit(house, 4)
            all_arrived(house, local, subscriber, 12)
            code, _ = house.server.stop()  # politely, with the stream open
            assert code == 0
            listen.said("Disconnected", 2)
            house.server.start()
            listen.said("Connected again", 2)
            submit(house, 2)
            all_arrived(house, local, subscriber, 14)
            assert listen.interrupt() == 0
            check(listen, house, local, subscriber, secret)


def check(listen: Listen, house: Scene, local: Listener, subscriber: Hook, secret: str) -> None:
    as_subscribed = {one.headers["webhook-id"]: one for one in subscriber.listener.at(subscriber.path)}
    for request in local.received:
        verified(request, secret)
        twin = as_subscribed[request.headers["webhook-id"]]
        assert request.body == twin.body
        ours, theirs = (one.headers.keys() - {"host", "connection"} for one in (request, twin))
        assert ours == theirs
        assert request.headers["postback-attempt"] == "1"
        for name in ("content-type", "user-agent", "accept", "accept-encoding", "content-length"):
            assert request.headers.get(name) == twin.headers.get(name), name
    lines = listen.out.splitlines()
    assert len(lines) == 2 * len(local.received)
    first = local.received[0]
    assert lines[0] == f"--> {json.loads(first.body)['type']} [{first.headers['webhook-id']}]"
    assert lines[1].startswith(f"<-- [204] {local.wire.url}/hook (")
    assert house.server.key not in listen.out + listen.err
    assert "Traceback" not in listen.err
    assert unexpected(house.server.log) == []
    assert "graceful shutdown exceeded" not in house.server.log


def test_an_endpoint_that_refuses_or_fails_is_told_and_nothing_stops(
    house: Scene, local: Listener, tmp_path: Path
) -> None:
    url = f"{local.wire.url}/hook"
    with listening(
        tmp_path, house.server.env, "--forward-to", url, "--events", "job.succeeded,job.failed", "--json"
    ) as listen:
        listen.said("Forwarding job.succeeded, job.failed from")
        with local.wire.refusing():
            submit(house, 1)
            eventually(lambda: listen.out)
        elsewhere = (("Location", f"{local.wire.url}/elsewhere"),)
        local.replies["/hook"] = [None, Reply(500, b"no"), Reply(307, b"", elsewhere)]
        submit(house, 4)
        eventually(lambda: len(listen.out.splitlines()) == 5)
        assert listen.interrupt() == 0
    lines = [json.loads(line) for line in listen.out.splitlines()]
    assert [line["status_code"] for line in lines] == [None, None, 500, 307, 204]
    assert [line["error"] for line in lines[2:]] == [None] * 3
    assert lines[0]["error"] == "connection refused"
    assert lines[1]["error"]
    assert {line["type"] for line in lines} == {"job.succeeded"}
    assert {line["job_id"] for line in lines} == {job["id"] for job in house.api.all("/jobs")}
    assert local.at("/elsewhere") == []
    assert "Traceback" not in listen.err


def test_a_slow_endpoint_loses_nothing(house: Scene, local: Listener, tmp_path: Path) -> None:
    subscriber = house.subscribe()
    local.replies["/hook"] = [Reply(204, delay=0.5)] * 4
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAAAAA"
    with listening(tmp_path, house.server.env, "--forward-to", f"{local.wire.url}/hook", "--secret", secret) as listen:
        assert listen.secret == secret
        submit(house, 8)
        all_arrived(house, local, subscriber, 8)
        told = [one.headers["webhook-id"] for one in local.received]
        for request in local.received:
            verified(request, secret)
        assert len(told) == len(set(told))
