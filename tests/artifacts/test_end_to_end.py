"""Real houses, the simulator's images and a subscriber, over real sockets."""

import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2 as httpx
import pytest
import uvicorn
from api.stage import API_KEY, settings

from ledger.clock import system_now
from postback.app import create_app
from postback.house import ROLES, open_house
from postback.simulator import serve
from postback.simulator.app import environment
from postback.simulator.images import png
from postback.simulator.world import World

pytestmark = pytest.mark.anyio

BASE = "http://postback.test"
KEY = {"authorization": f"Bearer {API_KEY}"}


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    """The base URL of a simulator whose jobs take no time."""
    with serve.listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(serve.config(World(delay=0.0, jitter=0.0)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield serve.url(listening)
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


House = Callable[..., Any]


@pytest.fixture
def house(simulator: str, tmp_path: Path, database_url: str) -> House:
    """Opens a house with all roles, and gives a client of its API."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        bases = environment(simulator)
        given = {
            "dashscope_api_key": "sk-any",
            "dashscope_base_url": bases["DASHSCOPE_HTTP_BASE_URL"],
            "allow_networks": "127.0.0.0/8",
            "public_url": BASE,
        }
        opened = await open_house(settings(tmp_path, database_url, **(given | changes)), ROLES, clock=system_now)
        app = create_app(opened)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=KEY) as client:
                yield client

    return opened


async def submitted(client: httpx.AsyncClient, n: int = 2) -> str:
    order = {"model": "flux-schnell", "input": {"prompt": "a red fox"}, "parameters": {"n": n}}
    answer = await client.post("/v1/jobs", json=order)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def once(client: httpx.AsyncClient, job_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The job once that holds of it."""
    with anyio.fail_after(20):
        while True:
            job: dict[str, Any] = (await client.get(f"/v1/jobs/{job_id}")).json()
            if holds(job):
                return job
            await anyio.sleep(0.02)


def all_kept(job: dict[str, Any]) -> bool:
    return bool(job["results"]) and all(result["artifact"] for result in job["results"])


async def told(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    """The data of the job's notifications, by type."""
    listed = (await client.get("/v1/notifications", params={"job_id": job_id})).json()["data"]
    return {one["type"]: one["data"] for one in listed}


async def test_images_outlive_their_provider(house: House, tmp_path: Path) -> None:
    async with house() as client:
        body = {"url": "http://127.0.0.1:9/hook", "events": ["job.archived"]}
        assert (await client.post("/v1/subscribers", json=body)).status_code == 201
        job = await once(client, await submitted(client), all_kept)
        for result in job["results"]:
            image = png(urlsplit(result["url"]).path.rpartition("/")[2].removesuffix(".png"))
            artifact = result["artifact"]
            digest = hashlib.sha256(image).hexdigest()
            assert (artifact["media_type"], artifact["size"], artifact["sha256"]) == ("image/png", len(image), digest)
            answer = await client.get(artifact["url"], headers={"authorization": ""})
            assert (answer.status_code, answer.content) == (200, image)
        events = await told(client, job["id"])
        assert [result["artifact"] for result in events["job.succeeded"]["results"]] == [None, None]
        assert events["job.archived"]["results"] == job["results"]
        assert events["job.archived"]["sequence"] == 2
        timeline = (await client.get(f"/v1/jobs/{job['id']}/timeline")).json()["data"]
        assert [line["type"] for line in timeline].count("artifact") == 2

        urls = [result["artifact"]["url"] for result in job["results"]]
        assert (await client.delete(f"/v1/jobs/{job['id']}")).status_code == 204
        assert {(await client.get(url)).status_code for url in urls} == {404}
        with anyio.fail_after(10):
            while any(path.is_file() for path in (tmp_path / "artifacts").rglob("*")):
                await anyio.sleep(0.02)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"allow_networks": ""}, "127.0.0.1 is loopback"),
        ({"artifact_max_size": "100B"}, "the image has more than 100 bytes"),
    ],
)
async def test_what_cannot_be_kept_is_said(house: House, changes: dict[str, str], reason: str) -> None:
    async with house(**changes) as client:
        job = await once(client, await submitted(client, n=1), lambda job: bool(job["warnings"]))
        assert job["status"] == "succeeded"
        assert job["results"][0]["artifact"] is None
        assert job["warnings"][0].startswith(f"image 1 could not be kept: {reason}")
        assert list(await told(client, job["id"])) == ["job.succeeded"]


async def test_copying_can_be_switched_off(house: House, tmp_path: Path) -> None:
    async with house(archive=False) as client:
        job = await once(client, await submitted(client), lambda job: job["status"] == "succeeded")
        timeline = (await client.get(f"/v1/jobs/{job['id']}/timeline")).json()["data"]
        assert "artifact" not in {line["type"] for line in timeline}
    assert not (tmp_path / "artifacts").exists()
