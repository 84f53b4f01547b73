"""`POST /v1/subscribers/{id}/test`: one notification sent now, ahead of all that waits, and how that went."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import settling, trials
from ledger.deliveries import Attempt
from ledger.parcels import Parcel
from ledger.settling import Settlement
from postback.api import examples, requests
from postback.api.deliveries import with_attempts
from postback.api.subscriber_bodies import Trial
from postback.house import House
from receiver import attempted
from receiver.advice import advise
from receiver.courier import Carried
from receiver.forwarder import LEASE_MARGIN
from receiver.schedule import Outcome, Verdict, decide

PING = "postback.ping"

_ONE_ATTEMPT = (0,)
"""The schedule of a test: it is never tried again."""

_under_way: set[asyncio.Task[Any]] = set()
"""What runs without anybody who waits: nobody else holds on to it."""


async def test(house: House, request: Request) -> Response:
    """Sends an event to a subscriber and answers with the attempt."""
    asked = await requests.read(request, Trial, house.settings.max_body)
    return JSONResponse(await send(house, request.path_params["id"], asked.type or PING))


async def send(house: House, subscriber_id: str, event: str = PING) -> dict[str, Any]:
    """Sends an event to a subscriber: the delivery with its attempt, and a diagnosis. Raises `NotFound`.

    Whoever asked may leave: it is recorded all the same.
    """
    task = asyncio.create_task(_try(house, subscriber_id, event))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return await asyncio.shield(task)


async def _try(house: House, subscriber_id: str, event: str) -> dict[str, Any]:
    ledger = house.ledger
    data = {"subscriber_id": subscriber_id}
    if event != PING:
        data = examples.data_of(event, ledger.clock(), house.links.url)
    lease = house.settings.delivery_timeout + LEASE_MARGIN
    parcel = await ledger.write(trials.begin, subscriber_id, event, data, lease)
    carried = await house.courier().carry(parcel, ledger.clock())
    settlement = _settlement(parcel, carried, ledger.clock())
    (settled,) = await ledger.write(settling.settle, [settlement], house.circuit)
    attempted.log(parcel, settlement, settled=settled)
    if settlement.status == "delivered":
        house.wake("forwarder")  # a circuit that was open is closed
    return await ledger.read(with_attempts, parcel.id) | {"diagnosis": _diagnosis(carried.attempt)}


def _settlement(parcel: Parcel, carried: Carried, now: int) -> Settlement:
    outcome = Outcome(carried.attempt.status_code, carried.retry_after)
    verdict = decide(outcome, 1, _ONE_ATTEMPT, now, jitter=0).verdict
    return Settlement(
        parcel.id,
        parcel.lease,
        carried.attempt,
        "delivered" if verdict is Verdict.DELIVERED else "dead",
        trial=True,
    )


def _diagnosis(attempt: Attempt) -> dict[str, Any] | None:
    advice = advise(attempt.error_class, attempt.status_code, attempt.error)
    if advice is None:
        return None
    return {"error_class": attempt.error_class, "status_code": attempt.status_code, "advice": advice}
