"""What is claimed all the time must cost what is open, not what ever was: the partial indexes have to fit."""

from collections.abc import Callable
from typing import Any

import pytest
from builders import UNLIMITED, owe, subscribed
from sqlalchemy import Connection, event

from ledger import copies, parcels, polls, submissions
from ledger.clock import SECOND
from ledger.ledger import Ledger, open_database
from ledger.polls import Budget

pytestmark = pytest.mark.anyio

CLAIMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = {
    "deliveries": (parcels.claim, (), {"limit": 5, "lease": SECOND}, "deliveries_open"),
    "polls": (polls.claim, ({"dashscope": Budget(20)}, SECOND), {}, "jobs_watched"),
    "artifacts": (copies.claim, (), {"limit": 5, "lease": SECOND}, "artifacts_open"),
}
BY_HISTORY = ("deliveries_by_subscriber", "deliveries_by_job", "jobs_by_provider_model", "SCAN jobs", "SCAN deliveries")


async def plans(sqlite_url: str, *works: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]) -> str:
    """How SQLite goes about every statement that these query functions send."""
    database = await open_database(sqlite_url)
    await database.migrate()
    ledger = Ledger(database)
    row = await subscribed(ledger)
    await owe(ledger, row.id)
    sent: list[tuple[str, Any]] = []

    def keep(connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "WITH")) and not many:
            sent.append((statement, parameters))

    def explained(connection: Connection) -> str:
        event.listen(connection, "before_cursor_execute", keep)
        for work, args, kwargs in works:
            work(connection, ledger._moment(), *args, **kwargs)
        event.remove(connection, "before_cursor_execute", keep)
        steps = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all() for sql, given in sent]
        return "\n".join(str(step[-1]) for plan in steps for step in plan)

    try:
        return await database.write(explained)
    finally:
        await ledger.close()


@pytest.mark.parametrize("claim", CLAIMS)
async def test_a_claim_reads_only_what_is_open(sqlite_url: str, claim: str) -> None:
    work, args, kwargs, index = CLAIMS[claim]
    plan = await plans(sqlite_url, (work, args, kwargs))
    assert index in plan
    assert not [step for step in BY_HISTORY if step in plan], plan


async def test_submitting_reads_no_finished_job(sqlite_url: str) -> None:
    works = ((submissions.claim, (UNLIMITED, SECOND), {}), (submissions.expire, (), {}), (polls.overdue, (), {}))
    plan = await plans(sqlite_url, *works)
    assert not [step for step in BY_HISTORY if step in plan], plan
