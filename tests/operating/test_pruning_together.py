"""Retention beside others: two processes at once, and the cost of one batch."""

import asyncio
from typing import Any

import pytest
from builders import FakeClock, count, done, owe, subscribed
from sqlalchemy import Connection, event

from ledger import retention
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.one_offs import Target
from ledger.schema import jobs

from .pruning import KEEP, deliver, filled, prune

pytestmark = pytest.mark.anyio

JOBS = 60
READS_TOO_MUCH = ("SCAN", "TEMP B-TREE", "by_status", "by_provider")


async def test_two_processes_prune_at_once(
    pair: tuple[Ledger, Ledger], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 5)
    one, other = pair
    await subscribed(one)
    for _ in range(JOBS):
        await done(one)
    while await deliver(one):
        pass
    clock.advance(KEEP + 1)
    counts = await asyncio.gather(prune(one), prune(other))
    # What one of them held, the other went past: it is the next pass's.
    counts += [await prune(one)]
    assert sum(each.get("jobs", 0) for each in counts) == JOBS
    assert await filled(one) == set()


async def test_a_batch_reads_nothing_young(sqlite_url: str, clock: FakeClock) -> None:
    database = await open_database(sqlite_url)
    await database.migrate()
    ledger = Ledger(database, clock=clock)
    subscriber = await subscribed(ledger)
    await done(ledger, notify=Target("https://tenant.example/", "sealed"))
    await owe(ledger, subscriber.id)
    await deliver(ledger)
    clock.advance(2 * KEEP)
    plans: dict[str, list[str]] = {}

    def explained(connection: Connection, moment: Moment) -> None:
        sent: list[tuple[str, Any]] = []

        def keep(_: Any, __: Any, statement: str, parameters: Any, *rest: Any) -> None:
            sent.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", keep)
        for work in retention.KINDS.values():
            work(connection, moment, moment.now - KEEP, "")
        event.remove(connection, "before_cursor_execute", keep)
        for sql, given in sent:
            if "SAVEPOINT" not in sql:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)
                plans[sql] = [str(step[-1]) for step in plan]

    try:
        await ledger.write(explained)
        assert await count(ledger, jobs) == 0, "all kinds of statements were sent"
    finally:
        await ledger.close()
    assert len(plans) > 15
    # The tables of subscribers and of lanes are small, and looked through.
    small = ("SCAN lanes", "SCAN subscribers")
    for sql, steps in plans.items():
        much = [step for step in steps if any(one in step for one in READS_TOO_MUCH) and not step.startswith(small)]
        assert not much, f"{sql}\n{steps}"


async def test_postgres_reads_nothing_young_either(postgres_url: str, clock: FakeClock) -> None:
    database = await open_database(postgres_url)
    await database.migrate()
    plans: list[str] = []

    def explained(connection: Connection) -> None:
        # With few rows it would read them all: what counts is that it can do without.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_sort = off")
        for table, end, where in (
            ("jobs", "job_1", f"finished_at < {KEEP}"),
            ("notifications", "ntf_1", "job_id IS NULL"),
        ):
            query = (
                f"SELECT id FROM {table} WHERE id > '' AND id < '{end}' AND {where} ORDER BY id LIMIT 100 FOR UPDATE"
            )
            plans.append("\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {query}")))

    try:
        await database.write(explained)
    finally:
        await database.close()
    assert "Index Scan using jobs_pkey" in plans[0]
    assert "Index Scan using notifications_" in plans[1]
    assert not any("Sort" in plan for plan in plans)
