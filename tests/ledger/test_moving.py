"""All rows from one database to another: every value of every table, both ways, and never half of it unseen."""

from collections.abc import AsyncIterator, Callable

import pytest
from builders import FakeClock, calls_back, claimed, done, failed, owe, pending, queued, rows, subscribed, unconfirmed
from sqlalchemy import insert, update

from ledger import history, moving, serial, settling, stream
from ledger.deliveries import Attempt
from ledger.errors import CannotOpen, Refused
from ledger.history import Entry
from ledger.ledger import Ledger, open_database
from ledger.schema import facts, notifications, schema
from ledger.stream import Cursor

Opened = tuple[Ledger, Ledger]


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
async def both(
    anyio_backend: str,
    request: pytest.FixtureRequest,
    migrated: None,
    sqlite_url: str,
    postgres_url: str,
    clock: FakeClock,
) -> AsyncIterator[Opened]:
    """The ledger that is moved, and an empty one of the other kind."""
    opened = [Ledger(await open_database(url), clock=clock) for url in (sqlite_url, postgres_url)]
    yield (opened[0], opened[1]) if request.param == "to PostgreSQL" else (opened[1], opened[0])
    for ledger in opened:
        await ledger.close()


async def lived_in(ledger: Ledger) -> None:
    """Something in nearly every table, with values that databases like to change."""
    await subscribed(
        ledger,
        rate_limit=0.1 + 0.2,
        metadata={"ключ": ["\u0000", 2**63, 1e-320, "\ud800".encode(errors="replace").decode()]},
    )
    one = await subscribed(ledger, events=["*"], url="https://one.example/\N{SNOWMAN}")
    await queued(ledger)
    await unconfirmed(ledger)
    job = await done(ledger, metadata={"big": 10**40, "nested": {"b": None, "a": [True, 0.1]}})
    await calls_back(ledger, job, failed(), None)
    await owe(ledger, one.id, 3)
    claim = await claimed(ledger)
    attempt = Attempt(
        ledger.clock(), 12, error_class="status", error="no \u0000", status_code=500, response_headers={"a": "b"}
    )
    await ledger.write(
        settling.settle, [settling.Settlement(claim.rows[0].id, claim.rows[0].lease, attempt, "pending", due_at=5)]
    )
    await ledger.write(lambda connection, moment: history.add(connection, [Entry(job.id, moment.now, "noted", "x")]))


async def test_every_row_arrives_as_it_was(both: Opened) -> None:
    old, new = both
    await lived_in(old)
    seen: list[tuple[str, int, int]] = []
    moved = await moving.move(old.database, new.database, lambda *told: seen.append(told))
    for table in schema.sorted_tables:
        assert [tuple(row) for row in await rows(new, table)] == [tuple(row) for row in await rows(old, table)], (
            table.name
        )
    assert {one.table: one.rows for one in moved} == {
        table.name: len(await rows(old, table)) for table in schema.sorted_tables
    }
    assert {table for table, done_, total in seen if done_ == total} == set(schema.tables)


async def test_many_rows_go_in_parts(both: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "PART", 3)
    old, new = both
    one = await subscribed(old)
    sent = await owe(old, one.id, 10)
    await moving.move(old.database, new.database)
    assert {row.id for row in await rows(new, schema.tables["deliveries"])} == set(sent)


async def test_life_goes_on_in_the_new_one(both: Opened) -> None:
    old, new = both
    await lived_in(old)
    await moving.move(old.database, new.database)
    await new.write(serial.rebase)
    before = {row.id for row in await rows(new, notifications)}
    place = await new.read(stream.now)
    job = await pending(new)
    assert await calls_back(new, job, failed()) == ["accepted"]
    read = await new.read(stream.read, place, ["*"], 10)
    assert {row.job_id for row in read.rows} == {job.id}
    assert {row.id for row in (await new.read(stream.read, Cursor(0), ["*"], 100)).rows} > before
    await new.write(lambda connection, moment: history.add(connection, [Entry(job.id, moment.now, "noted", "y")]))


async def test_what_is_told_after_a_restore_comes_after_all_that_is_there(pair: Opened) -> None:
    """A dump restored into a new PostgreSQL cluster brings higher numbers than the cluster has reached."""
    ledger = pair[0]
    one = await subscribed(ledger)
    await owe(ledger, one.id, 2)
    ahead = 10**12
    await ledger.write(
        lambda connection, moment: connection.execute(update(notifications).values(serial=ahead)).close()
    )
    await ledger.write(serial.rebase)
    place = await ledger.read(stream.now)
    assert place.serial >= ahead
    await owe(ledger, one.id)
    assert len((await ledger.read(stream.read, place, ["*"], 10)).rows) == 1
    await ledger.write(serial.rebase)
    assert (await ledger.read(stream.now)).serial < ahead + 10**6, "it is raised once"


async def test_a_database_that_is_in_use_is_not_moved_into(both: Opened) -> None:
    old, new = both
    await subscribed(old)
    kept = await subscribed(new)
    with pytest.raises(Refused, match="not empty: subscribers has rows"):
        await moving.move(old.database, new.database)
    assert [row.id for row in await rows(new, schema.tables["subscribers"])] == [kept.id]
    await new.read(moving.check_complete)


async def test_a_move_that_was_interrupted_is_seen_and_done_again(both: Opened) -> None:
    old, new = both
    await lived_in(old)
    with pytest.raises(KeyboardInterrupt):
        await moving.move(old.database, new.database, stop_at("deliveries"))
    with pytest.raises(CannotOpen, match="not moved here completely"):
        await new.read(moving.check_complete)
    await moving.move(old.database, new.database)
    await new.read(moving.check_complete)


def stop_at(table: str) -> Callable[[str, int, int], None]:
    def on_progress(name: str, done_: int, total: int) -> None:
        if name == table and done_:
            raise KeyboardInterrupt

    return on_progress


async def test_a_source_that_changes_meanwhile_is_noticed(both: Opened) -> None:
    old, new = both
    await lived_in(old)

    class Lying:
        """Forgets a row of one table on its way."""

        def __getattr__(self, name: str) -> object:
            return getattr(new.database, name)

        async def write(self, work: object) -> object:
            if getattr(work, "keywords", {}).get("table") is facts:
                await new.write(
                    lambda connection, moment: connection.execute(insert(facts).values(name="x", value="y")).close()
                )
            return await new.database.write(work)  # type: ignore[arg-type]

    await old.write(lambda connection, moment: connection.execute(insert(facts).values(name="a", value="b")).close())
    with pytest.raises(CannotOpen, match="facts arrived with"):
        await moving.move(old.database, Lying())  # type: ignore[arg-type]
    with pytest.raises(CannotOpen):
        await new.read(moving.check_complete)


async def test_an_empty_database_moves_too(both: Opened) -> None:
    old, new = both
    assert {one.rows for one in await moving.move(old.database, new.database)} == {0}
