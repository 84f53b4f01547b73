"""The baseline of delivering, as one would write it in an afternoon: workers, one HTTP client, a commit an attempt.

It signs as Standard Webhooks says, and is durable (`synchronous=FULL`). Arguments: the database's file, filled by
`fill`, and how many at once.
"""

import asyncio
import sqlite3
import sys
import time
import uuid

import httpx2 as httpx
from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE deliveries (id TEXT PRIMARY KEY, url TEXT, body TEXT, status TEXT, due_at REAL);
CREATE TABLE attempts (id TEXT PRIMARY KEY, delivery_id TEXT, at REAL, status_code INTEGER);
CREATE INDEX deliveries_due ON deliveries (status, due_at);
"""


def fill(path: str, count: int, url: str) -> None:
    """Makes the database, with deliveries that are due."""
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    body = '{"type":"postback.ping","timestamp":"2026-01-01T00:00:00.000Z","data":{}}'
    rows = ((str(uuid.uuid4()), url, body) for _ in range(count))
    connection.executemany("INSERT INTO deliveries VALUES (?, ?, ?, 'pending', 0)", rows)
    connection.commit()
    connection.close()


async def main(path: str, at_once: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    signer = Webhook(SECRET)

    def claim() -> tuple[str, str, str] | None:
        row: tuple[str, str, str] | None = connection.execute(
            "UPDATE deliveries SET status = 'sending' WHERE id = (SELECT id FROM deliveries WHERE status = 'pending' "
            "AND due_at <= ? ORDER BY due_at LIMIT 1) RETURNING id, url, body",
            (time.time(),),
        ).fetchone()
        return row

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=at_once)) as client:

        async def work() -> None:
            from datetime import UTC, datetime

            while (row := claim()) is not None:
                one, url, body = row
                now = datetime.now(UTC)
                headers = {
                    "content-type": "application/json",
                    "webhook-id": one,
                    "webhook-timestamp": str(int(now.timestamp())),
                    "webhook-signature": signer.sign(one, now, body),
                }
                answer = await client.post(url, content=body, headers=headers)
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(
                    "INSERT INTO attempts VALUES (?, ?, ?, ?)",
                    (str(uuid.uuid4()), one, time.time(), answer.status_code),
                )
                connection.execute("UPDATE deliveries SET status = 'delivered' WHERE id = ?", (one,))
                connection.execute("COMMIT")

        await asyncio.gather(*(work() for _ in range(at_once)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
