"""A copy of the database, through the one process that may open it."""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ledger.errors import Refused
from postback import backup
from postback.backup import Copy
from postback.house import House

MEDIA_TYPE = "application/vnd.sqlite3"
CHUNK = 1 << 20


async def download(house: House, request: Request) -> Response:
    """The database as it is at this moment. Nobody waits for it to be copied."""
    database = backup.file_of(house.settings)
    if database is None:
        raise Refused("this server's database is PostgreSQL, which has its own tool for copies: pg_dump")
    given_up = threading.Event()
    try:
        copy = await asyncio.to_thread(backup.make, database, house.settings.home, given_up.is_set)
    except asyncio.CancelledError:
        given_up.set()
        raise
    digest = base64.b64encode(copy.sha256).decode()
    headers = {
        "Content-Length": str(copy.size),
        "Content-Disposition": 'attachment; filename="postback.sqlite3"',
        "Repr-Digest": f"sha-256=:{digest}:",  # RFC 9530
        "Cache-Control": "no-store",
    }
    return StreamingResponse(_read(copy), headers=headers, media_type=MEDIA_TYPE)


async def _read(copy: Copy) -> AsyncIterator[bytes]:
    with copy.file:
        while chunk := await asyncio.to_thread(copy.file.read, CHUNK):
            yield chunk
