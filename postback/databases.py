"""What is done to databases that no process serves: bringing them to this version, and moving to another one."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import make_url

from ledger import moving
from ledger.errors import CannotOpen, Refused
from ledger.ledger import open_database
from ledger.moving import Content


def upgrade(url: str) -> None:
    """Brings a database to this version. Raises `CannotOpen`, `Unavailable`."""
    asyncio.run(_upgrade(url))


def move(source: str, target: str, on_progress: Callable[[str, int, int], None] = lambda *_: None) -> list[Content]:
    """Copies all of one database into an empty other one, which is made ready for it; what each table holds.

    Raises what `ledger.moving.move` raises.
    """
    if make_url(source) == make_url(target):
        raise Refused("that is one database, not two")
    address = make_url(source)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").exists():
        raise CannotOpen(f"there is no Postback database to move from at {address.database}")
    return asyncio.run(_move(source, target, on_progress))


async def _upgrade(url: str) -> None:
    database = await open_database(url)
    try:
        await database.migrate()
    finally:
        await database.close()


async def _move(source: str, target: str, on_progress: Callable[[str, int, int], None]) -> list[Content]:
    old = await open_database(source)
    try:
        if (await old.version())[0] is None:
            raise CannotOpen("there is no Postback database to move from: is the URL after --from right?")
        new = await open_database(target)
        try:
            await new.migrate()
            return await moving.move(old, new, on_progress)
        finally:
            await new.close()
    finally:
        await old.close()
