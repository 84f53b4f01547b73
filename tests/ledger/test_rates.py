"""What happened over time, from a bounded sample of each step."""

from typing import Any

import pytest
from builders import NOW, execute
from sqlalchemy import Connection, insert

from ledger import ids, rates
from ledger.clock import MINUTE
from ledger.ledger import Ledger
from ledger.rates import Try
from ledger.schema import attempts, deliveries

from .test_plans import plans

pytestmark = pytest.mark.anyio

END = NOW + 3 * MINUTE


async def attempted(ledger: Ledger, at: int, took: int, error_class: str | None = None, number: int = 1) -> None:
    """Records an attempt that was over at that time."""
    row = {"id": ids.first("att", at), "delivery_id": ids.first("dlv", at), "number": number, "trigger": "schedule"}
    given = {"started_at": at - took, "duration_ms": took, "error_class": error_class}
    await execute(ledger, insert(attempts).values(**row, **given))


async def arrived(ledger: Ledger, at: int, took: int, **changes: Any) -> None:
    """Records a delivery that was made at that time and arrived."""
    row = {"id": ids.first("dlv", at), "notification_id": "ntf_1", "subscriber_id": "sub_1", "type": "job.succeeded"}
    row |= {"status": "delivered", "attempt_count": 1, "attempts_before": 0, "trigger": "schedule", "lease": 1}
    row |= {"created_at": at, "finished_at": at + took, "lane": "sub_1"}
    await execute(ledger, insert(deliveries).values(**row | changes))


async def test_attempts_fall_into_the_step_in_which_they_were_recorded(ledger: Ledger) -> None:
    await attempted(ledger, NOW - 1, 5)
    await attempted(ledger, NOW, 20)
    await attempted(ledger, NOW + MINUTE - 1, 30, "timeout")
    await attempted(ledger, NOW + 2 * MINUTE, 40)
    await attempted(ledger, END, 50)
    steps = await ledger.read(rates.attempts_in, END, MINUTE, 3)
    assert [(step.start, step.end, step.more) for step in steps] == [
        (NOW + n * MINUTE, NOW + (n + 1) * MINUTE, False) for n in range(3)
    ]
    assert [list(step.tries) for step in steps] == [
        [Try(NOW, 20, True), Try(NOW + MINUTE - 1, 30, False)],
        [],
        [Try(NOW + 2 * MINUTE, 40, True)],
    ]


async def test_of_many_only_a_sample_is_read(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "SAMPLE", 2)
    rates._attempts.cache_clear()
    try:
        for n in range(3):
            await attempted(ledger, NOW + n, n)
        await attempted(ledger, NOW + MINUTE, 9)
        first, second = await ledger.read(rates.attempts_in, NOW + 2 * MINUTE, MINUTE, 2)
        assert (list(first.tries), first.more) == ([Try(NOW, 0, True), Try(NOW + 1, 1, True)], True)
        assert (list(second.tries), second.more) == ([Try(NOW + MINUTE, 9, True)], False)
    finally:
        rates._attempts.cache_clear()


async def test_arrivals_count_from_the_callback_to_the_arrival(ledger: Ledger) -> None:
    await arrived(ledger, NOW, 300)
    await arrived(ledger, NOW + 1, 6_000, attempt_count=2)
    await arrived(ledger, NOW + 2, 900_000, attempts_before=3, attempt_count=4)  # sent again by hand
    await arrived(ledger, NOW + 3, 10, status="dead")
    (step,) = await ledger.read(rates.arrivals_in, NOW + MINUTE, MINUTE, 1)
    assert list(step.tries) == [Try(NOW, 300, True), Try(NOW + 1, 6_000, False)]


async def test_each_step_is_found_by_the_index(sqlite_url: str) -> None:
    def look(connection: Connection, moment: Any) -> None:
        rates.attempts_in(connection, moment.now, MINUTE, 30)
        rates.arrivals_in(connection, moment.now, MINUTE, 30)

    plan = await plans(sqlite_url, (look, (), {}))
    assert "SCAN attempts" not in plan
    assert "SCAN deliveries" not in plan
    assert plan.count("SEARCH attempts USING INDEX sqlite_autoindex_attempts_1 (id>? AND id<?)") == 30
    assert plan.count("SEARCH deliveries USING INDEX deliveries_by_status (status=? AND id>? AND id<?)") == 30
