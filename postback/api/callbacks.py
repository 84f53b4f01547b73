"""The calls on callbacks: the way in, and the inbox as received."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import callbacks
from ledger.callbacks import VERDICTS, Filter
from postback.api import requests
from postback.house import House


async def find(house: House, request: Request) -> Response:
    """Lists callbacks, without headers and bodies."""
    cursor, limit = requests.page_of(request)
    wanted = Filter(
        job_id=requests.text(request, "job_id"),
        task_id=requests.text(request, "task_id"),
        verdict=requests.choice(request, "verdict", VERDICTS),
    )
    page = await house.ledger.read(callbacks.find, wanted, cursor=cursor, limit=limit)
    return JSONResponse({"data": [callbacks.summary(row) for row in page.data], "next_cursor": page.next_cursor})


async def receive(house: House, request: Request) -> Response:
    """What a provider, or our own poller, has to say of a job."""
    return await house.intake.receive(request)


async def get(house: House, request: Request) -> Response:
    """One callback, raw."""
    return JSONResponse(callbacks.document(await house.ledger.read(callbacks.get, request.path_params["id"])))
