"""Subscribers on the wire, each with how its queue is doing."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from ledger import lanes, subscribers
from ledger.lane import Lane
from postback.house import House


async def shown(house: House, row: Row[Any]) -> dict[str, Any]:
    """A subscriber on the wire, with how its queue is doing."""
    [document] = await house.ledger.read(documents, [row], house.ledger.clock())
    return document


def documents(connection: Connection, rows: Sequence[Row[Any]], now: int) -> list[dict[str, Any]]:
    """All of a page, with one look at their queues."""
    keys = [lanes.key_of(row.id, row.url, row.job_id) for row in rows]
    found = lanes.get(connection, set(keys))
    healths = [found.get(key, Lane(key)).document(now) for key in keys]
    return [subscribers.document(row) | {"health": health} for row, health in zip(rows, healths, strict=True)]
