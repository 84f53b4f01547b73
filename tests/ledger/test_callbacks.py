"""Which callback a repeated one repeats."""

import pytest
from builders import calls_back, done, pending, succeeded, unfinished

from ledger import callbacks
from ledger.callbacks import Filter
from ledger.ledger import Ledger

pytestmark = pytest.mark.anyio


async def test_the_one_whose_outcome_was_taken_is_found_by_job(ledger: Ledger) -> None:
    one, other, open_one = await done(ledger), await done(ledger), await pending(ledger)
    assert await calls_back(ledger, open_one, unfinished()) == ["progress"]
    assert await calls_back(ledger, one, succeeded(), succeeded("https://images.example/2.png")) == [
        "duplicate",
        "conflicting",
    ]
    found = await ledger.read(callbacks.accepted_of, [one.id, other.id, open_one.id, "job_none"])
    assert set(found) == {one.id, other.id}
    for job_id, callback_id in found.items():
        page = await ledger.read(callbacks.find, Filter(job_id=job_id, verdict="accepted"), cursor=None, limit=9)
        assert [row.id for row in page.data] == [callback_id]
    assert await ledger.read(callbacks.accepted_of, []) == {}
