"""Asking a database that nobody serves."""

import asyncio

from sqlalchemy import Connection, text

from ledger.ledger import open_database

_LEASED = (
    "SELECT 'job ' || id || ' ' || status FROM jobs WHERE status = 'submitting' "
    "UNION ALL SELECT 'delivery ' || id FROM deliveries WHERE status = 'delivering' "
    "UNION ALL SELECT 'artifact ' || id FROM artifacts WHERE status = 'copying'"
)


def leased(url: str) -> list[str]:
    """What somebody holds under a lease."""

    def ask(connection: Connection) -> list[str]:
        return [row[0] for row in connection.execute(text(_LEASED))]

    async def look() -> list[str]:
        database = await open_database(url)
        try:
            return await database.read(ask)
        finally:
            await database.close()

    return asyncio.run(look())
