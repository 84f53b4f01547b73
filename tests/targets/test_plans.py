"""One-off subscribers may be many: what accepting, claiming and listing read must not depend on how many there are."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from builders import LEASE, arrival, done, draft, pending, subscribed, succeeded
from sqlalchemy import Connection, event, text

from ledger import one_offs, parcels, recording, subscribers
from ledger.accept import accept
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.one_offs import Target

pytestmark = pytest.mark.anyio

Work = Callable[[Connection, Moment], Any]
NOTIFY = Target("https://one-off.example/hook", "sealed")
MANY = 5_000

GROWN = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
INSERT INTO subscribers (id, url, events, metadata, header_names, sealed_secret, old_secrets, max_in_flight, enabled,
                         created_at, job_id)
SELECT 'sub_grown' || i, url, events, metadata, header_names, sealed_secret, old_secrets, max_in_flight, enabled,
       created_at, 'job_grown' || i
FROM subscribers CROSS JOIN n WHERE subscribers.id = '{template}'
"""


async def grown(url: str) -> tuple[Ledger, dict[str, Work]]:
    """A ledger with thousands of one-off subscribers, and the works whose plans are looked at."""
    database = await open_database(url)
    await database.migrate()
    ledger = Ledger(database)
    standing = await subscribed(ledger)
    await done(ledger, notify=NOTIFY)
    job, ended = await pending(ledger, notify=NOTIFY), await done(ledger, notify=NOTIFY)

    def grow(connection: Connection, moment: Moment) -> None:
        connection.execute(text(GROWN.format(count=MANY, template=job.notify_id))).close()
        connection.exec_driver_sql("ANALYZE").close()

    await ledger.write(grow)
    asked = draft(subscribers=[standing.id], notify=NOTIFY)
    return ledger, {
        "record": lambda connection, moment: recording.record(connection, moment, [asked]),
        "accept": lambda connection, moment: accept(connection, moment, [arrival(job, succeeded())]),
        "claim": lambda connection, moment: parcels.claim(connection, moment, limit=5, lease=LEASE),
        "list": lambda connection, moment: subscribers.find(connection, cursor=None, limit=50),
        "erase": lambda connection, moment: one_offs.erase(connection, [ended.id]),
    }


async def plans(ledger: Ledger, work: Work) -> list[str]:
    """How the database goes about every statement of that work that is about subscribers."""
    sent: list[tuple[str, Any]] = []

    def keep(connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if re.search(r"\b(FROM|JOIN) subscribers\b", statement):
            sent.append((statement, parameters))

    def explained(connection: Connection, moment: Moment) -> list[str]:
        event.listen(connection, "before_cursor_execute", keep)
        work(connection, moment)
        event.remove(connection, "before_cursor_execute", keep)
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        steps = [connection.exec_driver_sql(f"{explain} {sql}", given).all() for sql, given in sent]
        return [str(step[-1]) for plan in steps for step in plan]

    try:
        return await ledger.write(explained)
    finally:
        await ledger.close()


@pytest.mark.parametrize("name", ["record", "accept", "claim", "list", "erase"])
async def test_no_work_reads_all_one_offs(database_url: str, name: str) -> None:
    ledger, works = await grown(database_url)
    plan = await plans(ledger, works[name])
    assert plan, "this work was expected to ask about subscribers"
    reads_all = [step for step in plan if "SCAN subscribers" in step or "Seq Scan on subscribers" in step]
    assert [step for step in reads_all if "subscribers_standing" not in step] == [], "\n".join(plan)


async def test_accepting_reads_the_standing_ones_apart_from_the_job_s_own(database_url: str) -> None:
    ledger, works = await grown(database_url)
    plan = "\n".join(await plans(ledger, works["accept"]))
    assert "subscribers_standing" in plan
    assert "subscribers_pkey" in plan or "sqlite_autoindex_subscribers_1" in plan, plan
