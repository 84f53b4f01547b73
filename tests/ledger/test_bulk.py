"""Many rows in one statement: the same as one by one, on both databases, whatever their number."""

from typing import Any

import pytest
from builders import NOW, pending, rows
from sqlalchemy import Connection, bindparam, event, insert, literal_column, select

from ledger import bulk
from ledger.jobs import get, lock
from ledger.jobs import save as save_jobs
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.schema import attempts, callbacks, jobs, notifications

COUNTS = [0, 1, 3, 4, 63, 64, 65, 200, 2 * bulk.MOST + 1]


def copy(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"cb_{number:05}",
        "job_id": "job_1",
        "task_id": f"t \0 {number}",
        "provider": "dashscope",
        "verdict": "accepted",
        "received_at": NOW + number,
        "headers": {"ключ": [number, None, 2**70]},
        "body": bytes([number % 256, 0, 255]),
    } | changes


async def write(ledger: Ledger, work: Any) -> None:
    await ledger.write(lambda connection, moment: work(connection))


@pytest.mark.parametrize("count", COUNTS)
async def test_rows_are_added_as_one_by_one(ledger: Ledger, count: int) -> None:
    new = [copy(number) for number in range(count)]
    await write(ledger, lambda connection: bulk.add(connection, callbacks, new))
    added = [tuple(row) for row in await rows(ledger, callbacks)]
    await write(ledger, lambda connection: connection.execute(callbacks.delete()).close())
    for one in new:
        await write(ledger, lambda connection, one=one: connection.execute(insert(callbacks), [one]).close())
    assert added == [tuple(row) for row in await rows(ledger, callbacks)]
    assert len(added) == count


@pytest.mark.parametrize("count", COUNTS)
async def test_rows_are_changed_and_no_others(ledger: Ledger, count: int) -> None:
    new = [copy(number) for number in range(count + 5)]
    await write(ledger, lambda connection: bulk.add(connection, callbacks, new))
    names = ("id", "verdict", "headers", "task_id")
    changes = [(f"cb_{number:05}", f"v{number}", {}, None) for number in range(count)]
    await write(ledger, lambda connection: bulk.change(connection, callbacks, names, changes))
    found = {row.id: (row.verdict, row.headers, row.task_id, row.body) for row in await rows(ledger, callbacks)}
    for number in range(count):
        assert found[f"cb_{number:05}"] == (f"v{number}", {}, None, bytes([number % 256, 0, 255]))
    for number in range(count, count + 5):
        assert found[f"cb_{number:05}"][0] == "accepted"


async def test_columns_with_one_value_for_all(ledger: Ledger) -> None:
    new = [
        {"id": f"ntf_{number}", "type": "x", "sequence": 1, "created_at": NOW, "body": b"{}"} for number in range(70)
    ]
    is_postgres = await ledger.read(lambda connection: connection.dialect.name == "postgresql")
    same: Any = literal_column("40 + 2") if is_postgres else 42
    await write(ledger, lambda connection: bulk.add(connection, notifications, new, serial=same))
    assert {row.serial for row in await rows(ledger, notifications)} == {42}


async def test_a_job_is_found_by_its_key_and_not_by_reading_all(ledger: Ledger) -> None:
    """`UPDATE … FROM` joins, and which side comes first is SQLite's choice: it must be the few new rows."""
    if await ledger.read(lambda connection: connection.dialect.name == "postgresql"):
        return
    plans: list[str] = []

    def changed(connection: Connection, moment: Moment) -> None:
        def look(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
            if statement.startswith("UPDATE"):
                cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.extend(row[3] for row in cursor.fetchall())

        event.listen(connection, "before_cursor_execute", look)
        for table, name in ((jobs, "status"), (attempts, "error")):
            bulk.change(connection, table, ("id", name), [(f"x_{number}", "x") for number in range(64)])

    for _ in range(3):
        await pending(ledger)
    await ledger.write(changed)
    assert plans
    assert not [plan for plan in plans if plan.startswith(("SCAN jobs", "SCAN attempts"))], plans


async def test_rows_are_found_by_their_ids_in_their_order(ledger: Ledger) -> None:
    new = [copy(number) for number in range(70)]
    await write(ledger, lambda connection: bulk.add(connection, callbacks, new))
    columns = [callbacks.c[name] for name in ("id", "headers", "task_id", "body", "received_at")]
    wanted = ["cb_00069", "cb_00003", "cb_00003", "cb_nobody", "cb_00011"]
    these = callbacks.c.id.in_(bindparam("ids", expanding=True))
    held = bulk.ByIds(select(*columns).where(these).order_by(callbacks.c.id).with_for_update())
    found = await ledger.write(lambda connection, moment: list(held(connection, wanted)))
    query = select(*columns).where(callbacks.c.id.in_(wanted)).order_by(callbacks.c.id)
    expected = await ledger.read(lambda connection: [tuple(row) for row in connection.execute(query)])
    assert [row[0] for row in found] == ["cb_00003", "cb_00011", "cb_00069"]
    assert found == expected
    assert await ledger.write(lambda connection, moment: list(held(connection, []))) == []


async def test_of_a_job_only_what_changed_is_written(ledger: Ledger) -> None:
    job = await pending(ledger)
    said: list[str] = []

    def save(connection: Connection, moment: Moment, changed: Any) -> None:
        event.listen(connection, "before_cursor_execute", lambda *given: said.append(given[2]))
        held = lock(connection, [job.id])
        save_jobs(connection, [held[job.id].but(**changed)], before=held)

    await ledger.write(save, {})
    assert not [one for one in said if one.startswith("UPDATE")]
    await ledger.write(save, {"warnings": ["late"], "sequence": 7})
    (update,) = [one for one in said if one.startswith("UPDATE")]
    assert "warnings" in update
    assert "sequence" in update
    assert "status" not in update
    now = await ledger.read(get, job.id)
    assert (now.warnings, now.sequence, now.status, now.input) == (["late"], 7, job.status, job.input)
