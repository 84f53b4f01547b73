"""What is claimed all the time must cost what is open, not what ever was: the partial indexes have to fit."""

from collections.abc import Callable
from typing import Any

import pytest
from builders import NOW, UNLIMITED, done, owe, subscribed
from sqlalchemy import Connection, event, func, select, text

from ledger import callbacks, copies, deliveries, parcels, polls, recovery, retention, submissions
from ledger.clock import SECOND
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.polls import Budget
from ledger.schema import notifications

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
    await done(ledger)
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


def listing(find: Callable[..., Any], wanted: Any) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """A page of a list as a piece of work."""
    return lambda connection, moment: find(connection, wanted, cursor=None, limit=5), (), {}


def of_notification(about: str) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The deliveries of the newest notification that is about a job, or about none."""

    def work(connection: Connection, moment: Moment) -> None:
        found = connection.scalar(select(func.max(notifications.c.id)).where(text(about)))
        deliveries.find(connection, deliveries.Filter(notification_id=found or "ntf_none"), cursor=None, limit=5)

    return work, (), {}


LISTS = {
    "callbacks that were unusual": (
        listing(callbacks.find, callbacks.Filter(verdict="duplicate")),
        "SEARCH callbacks USING INDEX callbacks_by_other_verdict (verdict=?",
    ),
    "what a job's notification led to": (of_notification("job_id IS NOT NULL"), "deliveries_by_job (job_id=?"),
    "what a notice led to": (of_notification("job_id IS NULL"), "deliveries_by_job (job_id=? AND id>? AND id<?)"),
    "notices that are old": (
        (retention.prune_notices, (2 * NOW, ""), {}),
        "deliveries_by_job (job_id=? AND id>? AND id<?)",
    ),
}


@pytest.mark.parametrize("name", LISTS)
async def test_what_few_rows_are_looked_for_is_found_at_once(sqlite_url: str, name: str) -> None:
    work, step = LISTS[name]
    assert step in await plans(sqlite_url, work)


async def test_recovering_reads_the_deliveries_of_jobs_and_not_all_of_a_subscriber(sqlite_url: str) -> None:
    sent = (lambda connection, moment: recovery._sent(connection, "sub_1", ["job_1"]), (), {})
    plan = await plans(sqlite_url, sent)
    assert "deliveries_by_job (job_id=?" in plan
    assert "deliveries_by_subscriber" not in plan
