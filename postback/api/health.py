"""Whether the process is up, and whether its database can be written and is migrated."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.errors import LedgerError
from postback.house import House
from receiver.problems import Problem


async def healthz(house: House, request: Request) -> Response:
    """The process is up, and of which installation it is."""
    return JSONResponse({"status": "ok"}, headers=house.mark)


async def readyz(house: House, request: Request) -> Response:
    """The database is migrated and can be written. A backlog is no reason to leave rotation."""
    try:
        await house.readiness.check()
    except LedgerError as error:
        raise Problem("unavailable", f"The database cannot be used: {error}.") from None
    return JSONResponse({"status": "ready"})
