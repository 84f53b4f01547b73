"""Whether the process is up, and whether its database can be written and is migrated."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.clock import SECOND
from ledger.errors import LedgerError
from ledger.facts import touch
from postback.house import House
from receiver.problems import Problem

FRESH = 1 * SECOND
"""How long an answer of `readyz` is good: nobody can make us write more often by asking."""


async def healthz(house: House, request: Request) -> Response:
    """The process is up."""
    return JSONResponse({"status": "ok"})


async def readyz(house: House, request: Request) -> Response:
    """The database is migrated and can be written. A backlog is no reason to leave rotation."""
    if house.ledger.clock() >= house.ready_until:
        try:
            found, needed = await house.ledger.database.version()
            await house.ledger.write(touch)
        except LedgerError as error:
            raise Problem("unavailable", f"The database cannot be used: {error}.") from None
        if found != needed:
            raise Problem("unavailable", f"The database has schema {found}, {needed} is needed: run postback migrate.")
        house.ready_until = house.ledger.clock() + FRESH
    return JSONResponse({"status": "ready"})
