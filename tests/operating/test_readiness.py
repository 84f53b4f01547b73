"""`readyz` fails where a write fails, hangs or is not allowed, and recovers by itself; never for a backlog."""

import asyncio
from collections.abc import Callable

import pytest
from builders import execute, owe, queued
from sqlalchemy import Connection, text

from ledger.clock import SECOND
from ledger.sqlite import SqliteDatabase
from postback import readiness
from tests.api.stage import ORDER, Stage, problem

pytestmark = pytest.mark.anyio


async def pragma(stage: Stage, words: str) -> None:
    """Sets one on the connection that writes."""
    database = stage.ledger.database
    assert isinstance(database, SqliteDatabase)
    # Below SQLAlchemy, which would begin a transaction first.
    raw = database._writing.raw_connection()
    raw.cursor().execute(f"PRAGMA {words}").fetchall()
    raw.close()


async def size(stage: Stage) -> int:
    def pages(connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())

    return await stage.ledger.read(pages)


async def refused(stage: Stage, why: str) -> None:
    """It is out of rotation, and so is whatever writes; it still answers."""
    stage.clock.advance(SECOND)
    answer = await stage.anyone.get("/readyz")
    assert why in problem(answer, 503, "unavailable")["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    answer = await stage.client.post("/v1/jobs", json=ORDER)
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await stage.anyone.get("/healthz")).status_code == 200
    assert (await stage.client.get("/v1/jobs")).status_code == 200


async def well(stage: Stage, jobs: int) -> None:
    """It is back, and has these jobs and no other."""
    stage.clock.advance(SECOND)
    assert (await stage.anyone.get("/readyz")).status_code == 200
    assert len(await stage.ids("/v1/jobs")) == jobs


async def test_a_file_that_may_not_be_written(stage: Stage) -> None:
    await stage.submit()
    await pragma(stage, "query_only = ON")
    await refused(stage, "readonly")
    await pragma(stage, "query_only = OFF")
    await stage.submit()
    await well(stage, 2)


async def test_a_full_disk(stage: Stage) -> None:
    await stage.submit()
    await pragma(stage, f"max_page_count = {await size(stage)}")
    big = ORDER | {"metadata": {"much": "x" * 100_000}}
    answer = await stage.client.post("/v1/jobs", json=big)
    assert "full" in problem(answer, 503, "unavailable")["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    await pragma(stage, "max_page_count = 1000000")
    assert (await stage.client.post("/v1/jobs", json=big)).status_code == 202
    await well(stage, 2)


async def test_a_write_that_hangs(both: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.2)
    go_on, asked = asyncio.Event(), 0
    write = both.ledger.database.write

    async def hanging(work: Callable[[Connection], object]) -> object:
        nonlocal asked
        asked += 1
        await go_on.wait()
        return await write(work)

    monkeypatch.setattr(both.ledger.database, "write", hanging)
    answers = await asyncio.gather(*(both.anyone.get("/readyz") for _ in range(20)))
    for answer in [*answers, await both.anyone.get("/readyz")]:
        assert "did not come to an end" in problem(answer, 503, "unavailable")["detail"]
    assert asked == 1, "however many ask, one write hangs"
    go_on.set()
    monkeypatch.setattr(both.ledger.database, "write", write)
    assert (await both.anyone.get("/readyz")).status_code == 200


async def test_a_migration_that_is_pending(both: Stage) -> None:
    await execute(both.ledger, text("UPDATE alembic_version SET version_num = '0001'"))
    answer = await both.anyone.get("/readyz")
    assert "run postback migrate" in problem(answer, 503, "unavailable")["detail"]


async def test_a_backlog_is_no_reason(both: Stage) -> None:
    await owe(both.ledger, await both.listener(), 500)
    for _ in range(20):
        await queued(both.ledger)
    assert (await both.anyone.get("/readyz")).status_code == 200
