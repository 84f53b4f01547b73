"""What the tests of retention share: a whole pass, and lives that ended."""

from typing import Any

from builders import claimed, count

from ledger import retention, settling
from ledger.clock import DAY
from ledger.ledger import Ledger
from ledger.schema import schema
from ledger.settling import Attempt, Settlement

KEEP = 30 * DAY
STANDING = {"subscribers", "lanes", "audit", "paces", "facts"}


async def prune(ledger: Ledger, *, lanes: bool = True) -> dict[str, int]:
    """One pass over everything, or over all but the lanes: how much of each kind went."""
    counts: dict[str, int] = {}
    for kind, work in retention.KINDS.items():
        if kind == "lanes" and not lanes:
            continue
        after: str | None = ""
        while after is not None:
            pruned = await ledger.write(work, ledger.clock() - KEEP, after)
            counts[kind] = counts.get(kind, 0) + pruned.count
            after = pruned.last
    return {kind: number for kind, number in counts.items() if number}


async def deliver(ledger: Ledger, status: str = "delivered", **changes: Any) -> int:
    """Ends all deliveries that are due; how many."""
    rows = (await claimed(ledger)).rows
    now = ledger.clock()
    ends = [Settlement(row.id, row.lease, Attempt(now, 5, 200), status, **changes) for row in rows]
    assert all(await ledger.write(settling.settle, ends))
    return len(ends)


async def filled(ledger: Ledger) -> set[str]:
    """The tables that hold something of jobs or of what was told."""
    return {table.name for table in schema.sorted_tables if await count(ledger, table)} - STANDING
