"""What a callback makes due is claimed in the transaction that stores the callback, and sent after its commit."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest
from builders import pending, rows
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.routing import Route

from ledger import parcels
from ledger.errors import Damaged
from ledger.moment import Moment
from ledger.onward import Order, claim_beside
from ledger.schema import callbacks, deliveries
from ledger.tokens import CallbackTokens
from providers import PROVIDERS
from receiver.forwarder import AT_ONCE, MAX_IN_FLIGHT, RESERVE, Forwarder
from receiver.intake import Intake

from .office import DELAYS, KEYS, Office, fails

pytestmark = pytest.mark.anyio

DONE = {"output": {"task_id": "task-1", "task_status": "SUCCEEDED", "results": [{"url": "https://images.example/1"}]}}


class Desk:
    """An intake, and the forwarder in the same process; `wakes` is for when its loop was called."""

    def __init__(self, office: Office, http: httpx.AsyncClient, tokens: CallbackTokens) -> None:
        self.office, self.http, self._tokens = office, http, tokens
        self.wakes: list[int | None] = []

    async def calls_back(self, job_id: str) -> httpx.Response:
        headers = {"content-type": "application/json"}
        url = f"/callbacks/{self._tokens.mint(job_id, 'dashscope')}"
        return await self.http.post(url, content=json.dumps(DONE).encode(), headers=headers)

    async def states(self) -> list[str]:
        return [row.status for row in await rows(self.office.ledger, deliveries)]


@pytest.fixture
async def intake(office: Office) -> Intake:
    return Intake(office.ledger, CallbackTokens(KEYS, office.ledger.clock), PROVIDERS, max_body=2_000)


@pytest.fixture
async def desk(office: Office, intake: Intake) -> AsyncIterator[Desk]:
    app = Starlette(routes=[Route("/callbacks/{token}", intake.receive, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver.test") as http:
        yield Desk(office, http, CallbackTokens(KEYS, office.ledger.clock))


def forwarder_of(desk: Desk, **changes: Any) -> Forwarder:
    return desk.office.forwarder(wake=desk.wakes.append, **changes)


async def test_it_is_sent_without_the_loop(desk: Desk, intake: Intake) -> None:
    intake.onward = forwarder_of(desk)
    subscriber = await desk.office.subscriber(events=["job.succeeded"])
    job = await pending(desk.office.ledger)
    assert (await desk.calls_back(job.id)).status_code == 200
    assert await desk.states() == ["delivering"]
    assert desk.wakes == []
    await desk.office.crew.work()
    assert [sent.url for sent in desk.office.door.sent] == [subscriber.url]
    assert await desk.states() == ["delivered"]


async def test_what_is_due_later_calls_the_loop_then(desk: Desk, intake: Intake) -> None:
    forwarder = intake.onward = forwarder_of(desk)
    other = await desk.office.subscriber("other", events=["job.lost"])
    desk.office.door.steps[other.url] = [fails("connect", "no")]
    await desk.office.owe(other)
    await forwarder.run_once(desk.office.time.now)
    await desk.office.crew.work()
    await desk.office.subscriber(events=["job.succeeded"])
    await desk.calls_back((await pending(desk.office.ledger)).id)
    assert await desk.states() == ["pending", "delivering"]
    assert desk.wakes == [desk.office.time.now + DELAYS[1]]


async def test_more_than_is_claimed_at_once_calls_the_loop(desk: Desk, intake: Intake) -> None:
    intake.onward = forwarder_of(desk)
    await desk.office.owe(await desk.office.subscriber(max_in_flight=200), AT_ONCE + 5)
    await desk.calls_back((await pending(desk.office.ledger)).id)
    assert desk.wakes == [None]
    assert (await desk.states()).count("delivering") == AT_ONCE


async def test_a_crowded_queue_keeps_nobody_else_waiting_for_the_loop(desk: Desk, intake: Intake) -> None:
    forwarder = intake.onward = forwarder_of(desk)
    other = await desk.office.subscriber("other", max_in_flight=1, events=["job.lost"])
    desk.office.door.steps[other.url] = [desk.office.slow(1_000)]
    await desk.office.owe(other, 3)
    await forwarder.run_once(desk.office.time.now)
    await desk.office.subscriber(events=["job.succeeded"])
    await desk.calls_back((await pending(desk.office.ledger)).id)
    assert await desk.states() == ["delivering", "pending", "pending", "delivering"], "before the loop was called"
    assert desk.wakes == [None]


async def test_a_queue_that_is_found_crowded_calls_the_loop(desk: Desk, intake: Intake) -> None:
    """Those that make room may have ended before anybody knew that room was wanted."""
    intake.onward = forwarder_of(desk)
    await desk.office.subscriber(max_in_flight=1, events=["job.succeeded"])
    for _ in range(3):
        await desk.calls_back((await pending(desk.office.ledger)).id)
    assert await desk.states() == ["delivering", "pending", "pending"]
    assert desk.wakes == [None] * 3


async def test_without_plenty_of_room_nothing_is_claimed(desk: Desk, intake: Intake) -> None:
    forwarder = intake.onward = forwarder_of(desk)
    busy = MAX_IN_FLIGHT - RESERVE - AT_ONCE + 1
    other = await desk.office.subscriber("busy", max_in_flight=busy, events=["job.lost"])
    desk.office.door.steps[other.url] = [desk.office.slow(1_000)]
    await desk.office.owe(other, busy)
    await forwarder.run_once(desk.office.time.now)
    await desk.office.crew.work()
    await desk.office.subscriber(events=["job.succeeded"])
    await desk.calls_back((await pending(desk.office.ledger)).id)
    assert (await desk.states()).count("pending") == 1
    assert desk.wakes == [None]


async def test_a_process_that_stops_claims_nothing(desk: Desk, intake: Intake) -> None:
    intake.onward = forwarder_of(desk, stopping=lambda: True)
    await desk.office.subscriber(events=["job.succeeded"])
    assert (await desk.calls_back((await pending(desk.office.ledger)).id)).status_code == 200
    assert (await desk.states(), desk.wakes) == (["pending"], [None])


def damaged(*_: Any, **__: Any) -> Any:
    raise Damaged


async def test_a_claim_that_fails_takes_no_callback_with_it(
    desk: Desk, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.onward = forwarder_of(desk)
    await desk.office.subscriber(events=["job.succeeded"])
    monkeypatch.setattr("ledger.parcels.load", damaged)
    assert (await desk.calls_back((await pending(desk.office.ledger)).id)).status_code == 200
    assert [row.verdict for row in await rows(desk.office.ledger, callbacks)] == ["accepted"]
    assert (await desk.states(), desk.wakes) == (["pending"], [None])


async def test_a_claim_that_fails_takes_no_attempt_with_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.owe(await office.subscriber(max_in_flight=10), 30)
    forwarder = office.forwarder()
    await forwarder.run_once(office.time.now)
    monkeypatch.setattr("ledger.parcels.load", damaged)
    await office.crew.work()
    states = [row.status for row in await rows(office.ledger, deliveries)]
    assert (states.count("delivered"), states.count("pending")) == (10, 20)


async def test_who_leaves_before_the_answer_takes_nothing_along(desk: Desk, intake: Intake) -> None:
    intake.onward = forwarder_of(desk)
    await desk.office.subscriber(events=["job.succeeded"])
    job = await pending(desk.office.ledger)
    request = asyncio.create_task(desk.calls_back(job.id))
    while desk.office.database.writing == 0:
        await asyncio.sleep(0)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    while desk.office.database.writing:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    await desk.office.crew.work()
    assert await desk.states() == ["delivered"]


async def test_a_claim_beside_is_all_or_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.owe(await office.subscriber(), 2)

    def beside(connection: Connection, moment: Moment) -> parcels.Claim | None:
        return claim_beside(connection, moment, Order(limit=5, lease=1_000))

    with monkeypatch.context() as patched:
        patched.setattr("ledger.parcels.load", damaged)
        assert await office.ledger.write(beside) is None
    claim = await office.ledger.write(beside)
    assert claim is not None
    assert [parcel.lease for parcel in claim.rows] == [1, 1]
