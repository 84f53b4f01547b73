"""Row 49: a copy taken under load is of one moment, is checked, and nobody waits for it."""

import asyncio
import base64
import hashlib
import shutil
import sqlite3
import stat
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest
from builders import draft

from ledger import jobs
from ledger.errors import Refused
from postback import backup
from postback.backup import CannotBackUp
from tests.api.stage import Stage, problem

pytestmark = pytest.mark.anyio

TOGETHER = 5
"""Jobs that are recorded in one transaction: a copy has all or none of them."""


def file_of(stage: Stage) -> Path:
    database = backup.file_of(stage.house.settings)
    assert database is not None
    return database


def jobs_in(copy: Path) -> set[str]:
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {row[0] for row in connection.execute("SELECT id FROM jobs")}


async def record(stage: Stage, count: int = TOGETHER) -> set[str]:
    return {job.id for job in await stage.ledger.write(jobs.create_all, [draft()] * count)}


async def download(stage: Stage, to: Path) -> set[str]:
    answer = await stage.client.get("/v1/backup")
    assert answer.status_code == 200, answer.text
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert answer.headers["content-type"] == "application/vnd.sqlite3"
    to.write_bytes(answer.content)
    return jobs_in(to)


async def test_a_copy_holds_what_was_acknowledged(stage: Stage, tmp_path: Path) -> None:
    made = await record(stage)
    assert await download(stage, tmp_path / "copy") == made
    assert sorted(one.name for one in tmp_path.glob("backup*")) == ["backup.lock"], "nothing of it stays behind"


async def test_it_is_of_one_moment_while_others_write(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "STEP", 1)
    before, during = await record(stage, 20), set()
    loop = asyncio.get_running_loop()

    def write_meanwhile() -> bool:
        if len(during) < 10 * TOGETHER:
            during.update(asyncio.run_coroutine_threadsafe(record(stage), loop).result(10))
        return False

    copy = tmp_path / "copy"
    await asyncio.to_thread(backup.copy, file_of(stage), copy, given_up=write_meanwhile)
    assert len(during) == 10 * TOGETHER, "they did not have to wait"
    assert jobs_in(copy) == before
    assert await stage.ids("/v1/jobs", limit=250) == sorted(before | during, reverse=True)


async def test_copies_under_load_hold_whole_transactions(stage: Stage, tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    done = asyncio.Event()

    async def load() -> None:
        while not done.is_set():
            acknowledged.update(await record(stage))

    writers = [asyncio.create_task(load()) for _ in range(4)]
    try:
        for number in range(5):
            before = set(acknowledged)
            held = await download(stage, tmp_path / f"copy-{number}")
            assert before <= held
            assert len(held) % TOGETHER == 0
    finally:
        done.set()
        await asyncio.gather(*writers)


async def test_the_file_is_for_its_owner_alone(stage: Stage, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    await asyncio.to_thread(backup.copy, file_of(stage), copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with pytest.raises(CannotBackUp, match="File exists"):
        await asyncio.to_thread(backup.copy, file_of(stage), copy)
    assert copy.exists(), "a file that was there is left alone"


async def test_what_nobody_waits_for_is_given_up(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(CannotBackUp, match="nobody waits"):
        await asyncio.to_thread(backup.copy, file_of(stage), tmp_path / "copy", given_up=lambda: True)
    assert not (tmp_path / "copy").exists()
    await record(stage)


async def test_one_at_a_time(stage: Stage, tmp_path: Path) -> None:
    inner: list[Exception] = []

    def again() -> bool:
        if not inner:
            with pytest.raises(Refused) as refused:
                backup.make(file_of(stage), tmp_path, lambda: False)
            inner.append(refused.value)
        return False

    copy = await asyncio.to_thread(backup.make, file_of(stage), tmp_path, again)
    with copy.file:
        assert "another backup is being made" in str(inner[0])
        assert copy.size == len(copy.file.read())


async def test_too_little_room_is_said_before_anything_is_written(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1_000_000))
    answer = await stage.client.get("/v1/backup")
    assert "1 MB are free: make room" in problem(answer, 503, "unavailable")["detail"]
    assert [one.name for one in tmp_path.glob("backup*")] == ["backup.lock"]


async def test_a_damaged_copy_is_not_called_good(stage: Stage, tmp_path: Path) -> None:
    await record(stage, 200)
    copy = tmp_path / "copy"
    await asyncio.to_thread(backup.copy, file_of(stage), copy)
    content = bytearray(copy.read_bytes())
    page = len(content) // 4_096 // 2 * 4_096
    content[page : page + 64] = b"\x55" * 64  # its header: elsewhere it may hold nothing
    copy.write_bytes(content)
    with pytest.raises(CannotBackUp, match="damaged"):
        backup.check(copy)
    (tmp_path / "letter").write_text("this is a letter")
    with pytest.raises(CannotBackUp):
        backup.check(tmp_path / "letter")


async def test_postgres_has_its_own_tool(both: Stage) -> None:
    answer = await both.client.get("/v1/backup")
    if both.house.settings.database_url.startswith("sqlite"):
        assert answer.status_code == 200
    else:
        assert "pg_dump" in problem(answer, 409, "conflict")["detail"]
    assert (await both.anyone.get("/v1/backup")).status_code == 401


async def test_a_killed_copy_leaves_nothing_that_stops_the_next(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "backup.part").write_bytes(b"half of it")
    made = await record(stage)
    assert await download(stage, tmp_path / "copy") == made
