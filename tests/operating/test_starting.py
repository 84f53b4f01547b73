"""A start: callbacks are accepted as soon as the ledger is open, and everything else is loaded only then."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import httpx2 as httpx
import pytest
from builders import queued
from e2e.eventually import eventually
from e2e.server import PROGRAM, environment, free_port

from ledger.errors import CannotOpen, Unavailable
from ledger.facts import last_key
from postback import deferred
from postback.house import House, open_house
from postback.serve import listen, serving
from tests.api.stage import API_KEY, FRONT, finished, settings

HEAVY = ("httpx2", "jinja2", "alembic", "asyncpg", "obstore", "opentelemetry")
"""Libraries that no callback needs. Together they take as long to load as all that it needs."""

OPENS = """
import asyncio, sys
from pathlib import Path
from postback.serve import create_app, open_house
from postback.settings import load

async def main():
    house = await open_house(load(home=Path(sys.argv[1])))
    create_app(house)
    print(sorted({name.partition(".")[0] for name in sys.modules}))
    await house.stop()

asyncio.run(main())
"""


def test_nothing_heavy_is_loaded_before_callbacks_are_accepted(tmp_path: Path) -> None:
    for _ in range(2):  # the first makes the database
        opened = subprocess.run(
            [sys.executable, "-c", OPENS, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
        )
    assert [library for library in HEAVY if f"'{library}'" in opened.stdout] == []


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success
    except httpx.ConnectError:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes them")
def test_it_starts_and_stops_without_standard_streams(tmp_path: Path) -> None:
    port = free_port()
    command = ["/bin/sh", "-c", f"exec {PROGRAM} serve <&- >&- 2>&-"]
    with subprocess.Popen(command, env=environment(tmp_path / "home", POSTBACK_PORT=port)) as process:
        try:
            eventually(lambda: is_ready(port), 60)
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.mark.anyio
async def test_callbacks_do_not_wait_for_what_is_loaded_later(
    anyio_backend: str, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()
    load = deferred._load

    def slowly(house: House) -> object:
        may_load.wait(30)
        return load(house)

    monkeypatch.setattr(deferred, "_load", slowly)
    with listen("127.0.0.1", 0) as listening:
        house = await open_house(settings(tmp_path, database_url), FRONT)
        job = await queued(house.ledger)
        async with serving(house, listening) as server:
            running = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                base = f"http://127.0.0.1:{listening.getsockname()[1]}"
                key = {"authorization": f"Bearer {API_KEY}"}
                async with httpx.AsyncClient(base_url=base, headers=key, trust_env=False) as client:
                    asked = asyncio.create_task(client.get(f"/v1/jobs/{job.id}"))
                    token = house.tokens.mint(job.id, job.provider)
                    accepted = await client.post(f"/callbacks/{token}", json=finished())
                    assert (accepted.status_code, (await client.get("/readyz")).status_code) == (200, 200)
                    assert "date" in accepted.headers
                    assert not asked.done()
                    may_load.set()
                    assert (await asked).status_code == 200
            finally:
                may_load.set()
                server.should_exit = True
                await running


@pytest.mark.anyio
async def test_a_server_whose_loops_do_not_start_ends(
    anyio_backend: str, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(house: House, app: object) -> None:
        raise CannotOpen("not today")

    monkeypatch.setattr(House, "start", refuse)
    with listen("127.0.0.1", 0) as listening:
        house = await open_house(settings(tmp_path, sqlite_url), FRONT)
        async with serving(house, listening) as server:
            with pytest.raises(CannotOpen, match="not today"):
                await server.serve(sockets=[listening])
            assert not any(one.is_serving() for one in server.servers)
    with pytest.raises(Unavailable):
        await house.ledger.read(last_key)
