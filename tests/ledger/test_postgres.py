import asyncio
from collections.abc import AsyncIterator

import pytest
from databases import Postgres, postgres_server
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_

from ledger.errors import CannotOpen, Unavailable
from ledger.postgres import PostgresDatabase

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(anyio_backend: str, postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    opened = await PostgresDatabase.open(postgres_url)
    await opened.write(lambda connection: connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)")).close())
    yield opened
    await opened.close()


def add(connection: Connection, number: int) -> int:
    connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
    return number


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT n FROM t ORDER BY n")).scalars())


async def test_work_that_raises_is_rolled_back_alone(database: PostgresDatabase) -> None:
    def twice(connection: Connection) -> None:
        add(connection, 2)
        add(connection, 2)

    outcomes = await asyncio.gather(database.write(lambda c: add(c, 1)), database.write(twice), return_exceptions=True)
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], DBAPIError)
    assert await database.read(numbers) == [1]


async def test_cancelling_a_request_never_cancels_its_transaction(database: PostgresDatabase) -> None:
    for turns in range(6):
        task = asyncio.create_task(database.write(lambda c, n=turns: add(c, n)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
    await database.write(lambda c: add(c, 99))
    await database.close()
    again = await PostgresDatabase.open(database._engine.url.render_as_string(hide_password=False))
    kept = await again.read(numbers)
    await again.close()
    assert {2, 3, 4, 5, 99} <= set(kept)


async def test_readers_cannot_write_and_see_one_moment_throughout(database: PostgresDatabase) -> None:
    seen: list[list[int]] = []

    def look_twice(connection: Connection) -> None:
        seen.append(numbers(connection))
        await_(database.write(lambda c: add(c, 1)))
        seen.append(numbers(connection))

    await database.read(look_twice)
    assert seen == [[], []]
    with pytest.raises(Unavailable, match="read-only"):
        await database.read(lambda c: add(c, 2))
    assert await database.write(lambda c: add(c, 3)) == 3


async def test_a_deadlock_is_run_again(database: PostgresDatabase) -> None:
    await database.write(lambda c: [add(c, n) for n in (1, 2)])
    met = asyncio.Event()
    runs: list[int] = []

    def both(connection: Connection, first: int, second: int) -> None:
        update = text("UPDATE t SET n = n WHERE n = :n")
        connection.execute(update, {"n": first})
        runs.append(first)
        if len(runs) == 2:
            met.set()
        await_(met.wait())
        connection.execute(update, {"n": second})

    await asyncio.gather(database.write(lambda c: both(c, 1, 2)), database.write(lambda c: both(c, 2, 1)))
    assert len(runs) > 2


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://somebody:secret@127.0.0.1:1/name", "127.0.0.1:1/name"),
        ("postgresql://postgres:secret@/no_such_name?host={folder}", 'database "no_such_name" does not exist'),
        ("postgresql://nobody:secret@/postgres?host={folder}", 'role "nobody" does not exist'),
        ("postgresql://postgres:secret@/postgres?host={folder}&nonsense=1", "POSTBACK_DATABASE_URL"),
    ],
)
async def test_a_server_that_does_not_let_us_in_is_named_without_the_password(
    postgres: Postgres, url: str, says: str
) -> None:
    with pytest.raises(CannotOpen, match="Check that it runs and that POSTBACK_DATABASE_URL is right") as refused:
        await PostgresDatabase.open(url.format(folder=postgres.folder))
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


async def test_lost_connections_are_replaced(database: PostgresDatabase, postgres: Postgres) -> None:
    await asyncio.gather(*(database.write(lambda c, n=n: add(c, n)) for n in range(5)))
    await asyncio.to_thread(postgres.execute, _END_OTHERS)
    assert await database.read(numbers) == list(range(5))
    assert await database.write(lambda c: add(c, 5)) == 5


async def test_a_database_that_refuses_for_a_while_is_unavailable_and_then_back(
    database: PostgresDatabase, postgres: Postgres
) -> None:
    name = database._engine.url.database
    await asyncio.to_thread(postgres.execute, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    await asyncio.to_thread(postgres.execute, _END_OTHERS)
    for call in (database.read, database.write):
        with pytest.raises(Unavailable, match="not currently accepting connections"):
            await call(numbers)
    await asyncio.to_thread(postgres.execute, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    assert await database.write(lambda c: add(c, 1)) == 1


async def test_a_server_that_is_gone_is_unavailable() -> None:
    with postgres_server() as server:
        database = await PostgresDatabase.open(server.url("postgres"))
        assert await database.read(lambda c: c.execute(text("SELECT 1")).scalar()) == 1
    for call in (database.read, database.write):
        with pytest.raises(Unavailable):
            await call(numbers)
    await database.close()


_END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postback'"


async def test_a_server_that_lets_nobody_in_is_away_and_no_fault_of_the_work(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`REVOKE CONNECT` is told with the class of errors that else a statement of ours has caused."""

    class Refused(Exception):
        sqlstate = "42501"

    def begin() -> None:
        raise DBAPIError("connect", None, Refused("permission denied for database"))

    ran: list[Connection] = []
    with monkeypatch.context() as patched:
        patched.setattr(type(database._engine), "begin", lambda engine: begin())
        with pytest.raises(Unavailable):
            await database.write(ran.append)
    assert not ran
    assert await database.write(lambda connection: add(connection, 7)) == 7
