"""Health: the process is up; the database is migrated and can be written."""

from pathlib import Path

import pytest
from builders import execute
from sqlalchemy import text

from ledger.clock import SECOND
from ledger.errors import Unavailable
from ledger.keys import SecretKeys

from .stage import SECRET_KEYS, Stage, problem, served, settings

pytestmark = pytest.mark.anyio


async def test_a_healthy_process(both: Stage) -> None:
    assert (await both.anyone.get("/healthz")).json() == {"status": "ok"}
    assert (await both.anyone.get("/readyz")).json() == {"status": "ready"}
    assert (await both.anyone.head("/healthz")).status_code == 200


async def test_it_says_which_installation_it_is_and_shows_no_key(stage: Stage) -> None:
    (mark,) = SecretKeys([SECRET_KEYS]).fingerprints
    assert (await stage.anyone.get("/healthz")).headers["postback-installation"] == mark
    assert SECRET_KEYS not in mark


async def test_a_database_that_cannot_be_written_takes_it_out_of_rotation_until_it_can(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(stage.ledger.database, "write", full)
        answer = await stage.anyone.get("/readyz")
        assert "the disk is full" in problem(answer, 503, "unavailable")["detail"]
        assert int(answer.headers["retry-after"]) >= 1
        assert (await stage.anyone.get("/healthz")).status_code == 200
        answer = await stage.client.post("/v1/jobs", json={"model": "flux-schnell", "input": {"prompt": "p"}})
        problem(answer, 503, "unavailable")
    assert (await stage.anyone.get("/readyz")).status_code == 200


async def test_a_newer_schema_leaves_the_old_process_ready(stage: Stage) -> None:
    await execute(stage.ledger, text("UPDATE alembic_version SET version_num = '9999'"))
    stage.clock.advance(1 * SECOND)
    assert (await stage.anyone.get("/readyz")).status_code == 200


async def test_migrations_that_are_pending_are_not_ready(stage: Stage) -> None:
    assert (await stage.anyone.get("/readyz")).status_code == 200
    await execute(stage.ledger, text("UPDATE alembic_version SET version_num = '0001'"))
    assert (await stage.anyone.get("/readyz")).status_code == 200
    stage.clock.advance(1 * SECOND)
    assert "postback migrate" in problem(await stage.anyone.get("/readyz"), 503, "unavailable")["detail"]


async def test_each_role_answers_only_its_own_calls(tmp_path: Path, sqlite_url: str) -> None:
    async with served(settings(tmp_path, sqlite_url), frozenset({"receiver"})) as stage:
        assert (await stage.anyone.get("/readyz")).status_code == 200
        for path in ("/v1/jobs", "/openapi.json", "/docs"):
            problem(await stage.client.get(path), 404, "not-found")
        problem(await stage.anyone.get("/callbacks/garbage"), 405, "method-not-allowed")
    async with served(settings(tmp_path, sqlite_url), frozenset({"api"})) as stage:
        assert (await stage.anyone.get("/readyz")).status_code == 200
        assert (await stage.client.get("/v1/jobs")).status_code == 200
        problem(await stage.anyone.post("/callbacks/garbage"), 404, "not-found")
    async with served(settings(tmp_path, sqlite_url), frozenset({"dispatcher"})) as stage:
        assert (await stage.anyone.get("/healthz")).status_code == 200
        problem(await stage.client.get("/v1/jobs"), 404, "not-found")
