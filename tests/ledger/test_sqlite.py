import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError

from ledger import sqlite
from ledger.errors import CannotOpen, Overloaded, Unavailable
from ledger.ledger import open_database
from ledger.sqlite import SqliteDatabase
from postback.setting_types import sqlite_url

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "postback.sqlite3"


@pytest.fixture
async def database(anyio_backend: str, path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = await SqliteDatabase.open(path)
    await opened.write(lambda connection: connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)")).close())
    yield opened
    await opened.close()


def add(connection: Connection, number: int) -> int:
    connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
    return number


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT n FROM t ORDER BY n")).scalars())


def pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


async def test_writes_that_wait_commit_together(database: SqliteDatabase) -> None:
    commits = []
    event.listen(database._writing, "commit", commits.append)
    answers = await asyncio.gather(*(database.write(lambda c, n=n: add(c, n)) for n in range(200)))
    assert answers == list(range(200))
    assert await database.read(numbers) == list(range(200))
    assert 1 <= len(commits) <= 3


@pytest.mark.parametrize("name", ["50%41 off", "why?", "a#b", "ü, and more"])
async def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Reading and writing, also by a URL."""
    path = tmp_path / name / "postback.sqlite3"
    for _ in range(2):
        database = await open_database(sqlite_url(path))
        await database.migrate()
        version, needed = await database.version()
        assert version == needed
        await database.close()
    assert path.exists()
    assert [one.name for one in tmp_path.iterdir()] == [name]


async def test_savepoints_are_for_groups_in_which_something_fails(database: SqliteDatabase) -> None:
    savepoints: list[str] = []
    event.listen(database._writing, "savepoint", lambda _, name: savepoints.append(name))
    await asyncio.gather(*(database.write(lambda c, n=n: add(c, n)) for n in range(5)))
    assert not savepoints
    twice = (database.write(lambda c, n=n: add(c, n)) for n in (5, 5, 6))
    first, second, third = await asyncio.gather(*twice, return_exceptions=True)
    assert (first, third) == (5, 6)
    assert isinstance(second, IntegrityError)
    assert len(savepoints) == 3
    assert await database.read(numbers) == list(range(7))


async def test_a_write_is_there_for_others_once_it_returns(database: SqliteDatabase, path: Path) -> None:
    await database.write(lambda connection: add(connection, 1))
    assert await database.read(numbers) == [1]
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT n FROM t").fetchall() == [(1,)]
    other.close()


async def test_a_bad_unit_does_not_fail_its_neighbours(database: SqliteDatabase) -> None:
    def bad(connection: Connection) -> None:
        add(connection, 100)
        raise ValueError("of its own")

    def twice(connection: Connection) -> None:
        add(connection, 101)
        add(connection, 1)

    outcomes = await asyncio.gather(
        database.write(lambda c: add(c, 1)),
        database.write(bad),
        database.write(lambda c: add(c, 2)),
        database.write(twice),
        database.write(lambda c: add(c, 3)),
        return_exceptions=True,
    )
    assert [type(outcome).__name__ for outcome in outcomes] == ["int", "ValueError", "int", "IntegrityError", "int"]
    assert await database.read(numbers) == [1, 2, 3]


async def test_a_full_disk_fails_the_whole_group_and_nothing_is_half_written(database: SqliteDatabase) -> None:
    def fill(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pragma(connection, 'page_count')}")
        connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(1000000))")

    def fill_within_a_savepoint(connection: Connection) -> None:
        with connection.begin_nested():
            fill(connection)

    await database.write(lambda c: c.exec_driver_sql("CREATE TABLE filler (b BLOB)").close())
    for number, work in enumerate((fill, fill_within_a_savepoint)):
        outcomes = await asyncio.gather(
            database.write(lambda c, n=number: add(c, n)),
            database.write(work),
            database.write(lambda c, n=number: add(c, 100 + n)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert "full" in str(outcomes[0])
        assert "savepoint" not in str(outcomes[0])
        assert await database.read(numbers) == []
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000").close())
    assert await database.write(lambda c: add(c, 7)) == 7
    assert await database.read(numbers) == [7]


async def test_cancelling_a_request_cancels_no_transaction_and_leaves_none_open(database: SqliteDatabase) -> None:
    async def request(number: int) -> int:
        return await database.write(lambda connection: add(connection, number))

    tasks = [asyncio.create_task(request(number)) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, False] * 10
    await request(20)
    assert await database.read(numbers) == list(range(21))


@pytest.mark.parametrize("turns", range(8))
async def test_cancelling_at_any_moment_loses_nothing_of_others(database: SqliteDatabase, turns: int) -> None:
    first = asyncio.create_task(database.write(lambda connection: add(connection, 1)))
    for _ in range(turns):
        await asyncio.sleep(0)
    first.cancel()
    assert await database.write(lambda connection: add(connection, 2)) == 2
    assert await database.read(numbers) == ([1, 2] if turns else [2])


async def test_the_promised_pragmas_hold(database: SqliteDatabase) -> None:
    assert await database.write(lambda c: pragma(c, "journal_mode")) == "wal"
    assert await database.write(lambda c: pragma(c, "synchronous")) == 2  # FULL
    assert await database.write(lambda c: pragma(c, "fullfsync")) == 1
    assert await database.read(lambda c: pragma(c, "query_only")) == 1


async def test_readers_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(Unavailable, match="readonly"):
        await database.read(lambda connection: add(connection, 1))
    assert await database.read(numbers) == []


async def test_a_reader_sees_one_moment_throughout(database: SqliteDatabase) -> None:
    seen: list[list[int]] = []

    def look_twice(connection: Connection) -> None:
        from sqlalchemy.util import await_

        seen.append(numbers(connection))
        await_(database.write(lambda c: add(c, 1)))
        seen.append(numbers(connection))

    await database.read(look_twice)
    assert seen == [[], []]
    assert await database.read(numbers) == [1]


async def test_a_second_process_is_refused_until_the_first_lets_go(database: SqliteDatabase, path: Path) -> None:
    with pytest.raises(CannotOpen, match=r"in use by another process.*stop the other one.*PostgreSQL"):
        await SqliteDatabase.open(path)
    assert await database.write(lambda c: add(c, 1)) == 1
    await database.close()
    again = await SqliteDatabase.open(path)
    assert await again.read(numbers) == [1]
    await again.close()


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is a letter, not a database. " * 100)
    with pytest.raises(CannotOpen, match=r"postback\.sqlite3.*not a database.*[Rr]estore it from a backup"):
        await SqliteDatabase.open(path)
    assert path.read_bytes().startswith(b"this is a letter")


async def test_a_damaged_database_is_refused(database: SqliteDatabase, path: Path) -> None:
    await database.write(lambda connection: [add(connection, number) for number in range(4_000)])
    await database.close()
    content = bytearray(path.read_bytes())
    content[8_192:12_288] = b"\x55" * 4_096
    path.write_bytes(content)
    with pytest.raises(CannotOpen, match=r"damaged|malformed") as refused:
        await SqliteDatabase.open(path)
    assert "backup" in str(refused.value)


async def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotOpen, match="Set POSTBACK_HOME to a folder you own"):
        await SqliteDatabase.open(tmp_path / "file" / "postback.sqlite3")
    (tmp_path / "folder.sqlite3").mkdir()
    with pytest.raises(CannotOpen, match=r"folder\.sqlite3"):
        await SqliteDatabase.open(tmp_path / "folder.sqlite3")


async def test_the_database_is_for_its_owner_alone(database: SqliteDatabase, path: Path) -> None:
    await database.write(lambda connection: add(connection, 1))
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


async def test_after_a_refusal_the_file_is_free(tmp_path: Path) -> None:
    path = tmp_path / "bad.sqlite3"
    path.write_bytes(b"no database" * 100)
    for _ in range(2):
        with pytest.raises(CannotOpen, match="not a database"):
            await SqliteDatabase.open(path)


@pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "no url", "http://x:y"])
async def test_a_url_of_no_use_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(CannotOpen, match="POSTBACK_DATABASE_URL") as refused:
        await open_database(url)
    assert "secret" not in str(refused.value)


async def test_after_closing_nothing_is_read_or_written(database: SqliteDatabase) -> None:
    await database.close()
    await database.close()
    for call in (database.write, database.read):
        with pytest.raises(Unavailable, match="closed"):
            await call(numbers)


async def test_closing_finishes_what_was_accepted_and_refuses_the_rest(database: SqliteDatabase, path: Path) -> None:
    accepted = [asyncio.create_task(database.write(lambda c, n=n: add(c, n))) for n in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    late: list[asyncio.Task[int]] = []
    while not closing.done():
        await asyncio.sleep(0)
        late.append(asyncio.create_task(database.write(lambda c: add(c, 1_000))))
    async with asyncio.timeout(10):
        assert await asyncio.gather(*accepted) == list(range(5))
        refused = await asyncio.gather(*late, return_exceptions=True)
    assert {type(outcome) for outcome in refused} == {Unavailable}
    with sqlite3.connect(path) as other:
        assert len(other.execute("SELECT n FROM t").fetchall()) == 5
    other.close()


async def test_more_writes_than_can_wait_are_refused(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "MAX_WAITING", 20)
    tasks = [asyncio.create_task(database.write(lambda c, n=n: add(c, n))) for n in range(30)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    assert 1 <= len(refused) <= 10
    assert len(await database.read(numbers)) == len(tasks) - len(refused)


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match=f"{tmp_path} is a folder. Name a file in it"):
        await SqliteDatabase.open(tmp_path)
