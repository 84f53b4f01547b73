"""The database goes away between a POST and its record."""

import pytest
from structlog.testing import capture_logs

from ledger.clock import MINUTE, SECOND
from ledger.errors import Unavailable
from receiver.egress import Response
from receiver.forwarder import LAST_TRY, LEASE_MARGIN

from .office import TIMEOUT, Office, Step, answers

pytestmark = pytest.mark.anyio

LEASE = TIMEOUT + LEASE_MARGIN
URL = "https://a.example/hook"


def breaks_the_database(office: Office) -> Step:
    def step() -> Response:
        office.database.error = Unavailable("the disk is full")
        return Response(204, {}, b"", False, 7)

    return step


async def away_for(office: Office, milliseconds: int) -> None:
    """The first POST is answered just as the database goes away for so long."""
    office.door.steps[URL] = [breaks_the_database(office), answers(204)]
    forwarder = office.forwarder()

    async def as_the_runner_does(now: int) -> int | None:
        try:
            return await forwarder.run_once(now)
        except Unavailable:
            return now + SECOND

    await office.crew.run(as_the_runner_does, until=office.time.now + milliseconds)
    office.database.error = None


async def test_an_attempt_is_recorded_once_the_database_is_back(office: Office) -> None:
    delivery_id = await office.owe(await office.subscriber())
    start = office.time.now
    await away_for(office, LEASE - LAST_TRY - 1)
    assert (await office.delivery(delivery_id))["status"] == "delivering"
    await office.run(MINUTE)
    (attempt,) = await office.attempts(delivery_id)
    assert (await office.delivery(delivery_id))["status"] == "delivered"
    assert (attempt["number"], attempt["status_code"]) == (1, 204)
    assert [sent.at for sent in office.door.sent] == [start]


async def test_a_failed_attempt_keeps_its_schedule(office: Office) -> None:
    def fails_as_the_database_breaks() -> Response:
        office.database.error = Unavailable("the disk is full")
        return Response(500, {}, b"", False, 7)

    office.door.steps[URL] = [fails_as_the_database_breaks, answers(204)]
    delivery_id, forwarder, start = await office.owe(await office.subscriber()), office.forwarder(), office.time.now
    await office.crew.run(forwarder.run_once, until=start + SECOND)
    office.database.error = None
    await office.crew.run(forwarder.run_once, until=start + MINUTE)
    assert [sent.at - start for sent in office.door.sent] == [0, 5 * SECOND]
    assert (await office.delivery(delivery_id))["attempt_count"] == 2


async def test_past_its_lease_an_attempt_is_made_again(office: Office) -> None:
    delivery_id, start = await office.owe(await office.subscriber()), office.time.now
    with capture_logs() as logs:
        await away_for(office, LEASE - 1)
    assert [entry["delivery_id"] for entry in logs if entry["event"] == "attempt_not_recorded"] == [delivery_id]
    await office.run(MINUTE)
    assert [sent.at - start for sent in office.door.sent] == [0, LEASE]
    delivery = await office.delivery(delivery_id)
    assert (delivery["status"], delivery["attempt_count"]) == ("delivered", 1)


async def test_nothing_new_is_sent_while_an_attempt_cannot_be_recorded(office: Office) -> None:
    """Claims go on working here: it is only what is written of attempts that fails."""
    subscriber = await office.subscriber(max_in_flight=1)
    office.door.steps[URL] = [breaks_the_database(office), answers(204)]
    await office.owe(subscriber)
    forwarder = office.forwarder()
    await forwarder.run_once(office.time.now)
    await office.crew.work()
    office.database.error = None
    other = await office.owe(await office.subscriber("other"))
    with capture_logs() as logs:
        assert await forwarder.run_once(office.time.now) is None
    assert [(entry["event"], entry["count"]) for entry in logs] == [("attempts_held", 1)]
    assert len(office.door.sent) == 1
    await office.crew.run(forwarder.run_once, until=office.time.now + SECOND)
    assert len(office.door.sent) == 2
    assert (await office.delivery(other))["status"] == "delivered"


async def test_a_process_that_stops_while_it_holds_an_attempt(office: Office) -> None:
    delivery_id = await office.owe(await office.subscriber())
    await away_for(office, SECOND)
    await office.crew.die()
    await office.run(MINUTE)
    assert len(office.door.sent) == 2
    assert (await office.delivery(delivery_id))["attempt_count"] == 1
