"""The log of writes: what SQLite would forget of it without a word is refused, and what a crash leaves is not."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from ledger import wal
from ledger.errors import CannotOpen
from ledger.sqlite import SqliteDatabase

pytestmark = pytest.mark.anyio

COMMITS = 20
HEADER, FRAME = 32, 24 + 4096


def add(connection: Connection) -> None:
    connection.execute(text("INSERT INTO t VALUES (randomblob(3000))"))


def count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())


@pytest.fixture
async def killed(anyio_backend: str, tmp_path: Path) -> Path:
    """The file of a process that was killed, with its log beside it."""
    alive = tmp_path / "alive" / "x.sqlite3"
    database = await SqliteDatabase.open(alive)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE t (n)")).close())
    for _ in range(COMMITS):
        await database.write(add)
    dead = tmp_path / "dead"
    dead.mkdir()
    for file in (alive, alive.with_name("x.sqlite3-wal")):
        shutil.copy(file, dead / file.name)
    await database.close()
    return dead / "x.sqlite3"


def flip(file: Path, at: int) -> None:
    damaged = bytearray(file.read_bytes())
    damaged[at] ^= 1
    file.write_bytes(damaged)


async def opened(path: Path) -> int:
    database = await SqliteDatabase.open(path)
    try:
        return await database.read(count)
    finally:
        await database.close()


async def test_a_whole_log_is_read(killed: Path) -> None:
    assert wal.damage(killed.with_name("x.sqlite3-wal")) is None
    assert await opened(killed) == COMMITS


@pytest.mark.parametrize("part", [0.1, 0.5, 0.8])
async def test_damage_to_what_was_committed_is_refused_with_the_remedy(killed: Path, part: float) -> None:
    log = killed.with_name("x.sqlite3-wal")
    flip(log, int(log.stat().st_size * part))
    with pytest.raises(CannotOpen, match="Restore the database from a backup") as refused:
        await opened(killed)
    found = wal.damage(log)
    assert found is not None
    assert found.commits >= 2
    assert str(refused.value).endswith(f"truncate -s {found.offset} {log}")
    with log.open("r+b") as file:
        file.truncate(found.offset)
    assert 0 <= await opened(killed) < COMMITS, "the remedy keeps what was committed before"


async def test_the_commit_that_a_crash_cut_off_is_no_damage(killed: Path) -> None:
    log = killed.with_name("x.sqlite3-wal")
    size = log.stat().st_size
    whole = log.read_bytes()
    for cut in (1, FRAME // 2, FRAME - 1):
        log.write_bytes(whole[: size - cut])
        assert wal.damage(log) is None
    flip(log, log.stat().st_size - 10)
    assert wal.damage(log) is None
    assert await opened(killed) == COMMITS - 1


async def test_what_failed_commits_leave_is_no_damage(killed: Path) -> None:
    """Their frames lie behind those of the commits that came after: each is the end of one transaction."""
    log = killed.with_name("x.sqlite3-wal")
    whole = log.read_bytes()
    last, others = whole[-FRAME:], []
    for number in range(3):
        stale = bytearray(last)
        stale[-1] ^= number + 1
        others.append(bytes(stale))
    log.write_bytes(whole + b"".join(others))
    assert wal.damage(log) is None
    assert await opened(killed) == COMMITS


@pytest.mark.parametrize("content", [b"", b"x", bytes(HEADER), b"\x37\x7f\x06\x82" + bytes(5_000)])
async def test_what_is_no_log_is_left_to_sqlite(killed: Path, content: bytes) -> None:
    log = killed.with_name("x.sqlite3-wal")
    log.write_bytes(content)
    assert wal.damage(log) is None


async def test_no_second_process_by_another_name(tmp_path: Path) -> None:
    real = tmp_path / "a" / "x.sqlite3"
    database = await SqliteDatabase.open(real)
    linked = tmp_path / "b.sqlite3"
    linked.symlink_to(real)
    try:
        with pytest.raises(CannotOpen, match="in use by another process"):
            await SqliteDatabase.open(linked)
        hard = tmp_path / "c.sqlite3"
        hard.hardlink_to(real)
        with pytest.raises(CannotOpen, match=r"has 2 names .* remove the others"):
            await SqliteDatabase.open(hard)
    finally:
        await database.close()
    hard.unlink()
    again = await SqliteDatabase.open(linked)
    await again.close()
