"""The forwarder and subscribers in trouble, in virtual time: circuit, slowing down, own schedules, five bad days."""

from itertools import accumulate

import pytest
from builders import rows

from ledger import lanes, subscribers
from ledger.clock import DAY, HOUR, MINUTE, SECOND
from ledger.lane import Circuit
from ledger.schema import deliveries

from .office import DELAYS, Office, answers, fails

pytestmark = pytest.mark.anyio

QUICK = Circuit(failures=3, cooldown=30 * SECOND)


async def test_a_circuit_spares_a_subscriber_that_is_down_and_closes_when_it_is_back(office: Office) -> None:
    subscriber = await office.subscriber(max_in_flight=1)
    office.door.steps[subscriber.url] = [*[fails("connect", "refused")] * 6, answers(204)]
    await office.owe(subscriber, 100)
    await office.run(5 * MINUTE, circuit=QUICK)
    times = [sent.at - office.door.sent[0].at for sent in office.door.sent]
    assert times[:6] == [0, 0, 0, 30_000, 60_000, 90_000]
    assert times[6] == 120_000
    assert len(times) == 106
    assert {row.status for row in await rows(office.ledger, deliveries)} == {"delivered"}
    assert (await office.ledger.read(lanes.get, [subscriber.id]))[subscriber.id].state == "healthy"


async def test_no_delivery_uses_up_its_schedule_while_the_circuit_is_open(office: Office) -> None:
    subscriber = await office.subscriber()
    office.door.steps[subscriber.url] = [fails("timeout", "no answer")]
    await office.owe(subscriber, 60)
    await office.run(HOUR, circuit=QUICK)
    made = await rows(office.ledger, deliveries)
    assert {row.status for row in made} <= {"pending", "delivering", "dead"}
    assert len(office.door.sent) <= HOUR // QUICK.cooldown + 20
    assert sum(row.attempt_count for row in made) == len(office.door.sent)


async def test_a_whole_subscriber_waits_when_it_says_retry_after(office: Office) -> None:
    subscriber = await office.subscriber(max_in_flight=1)
    office.door.steps[subscriber.url] = [answers(429, retry_after="120"), answers(204)]
    await office.owe(subscriber, 3)
    other = await office.subscriber("b")
    await office.owe(other, 3)
    await office.run(MINUTE)
    assert [sent.url for sent in office.door.sent].count(subscriber.url) == 1
    assert [sent.url for sent in office.door.sent].count(other.url) == 3
    await office.run(HOUR)
    mine = [sent.at - office.door.sent[0].at for sent in office.door.sent if sent.url == subscriber.url]
    assert len(mine) == 4
    assert mine[1] == 120_000
    # Slowly at first, as it asked for less.
    assert mine[3] - mine[1] >= 90


@pytest.mark.parametrize("said", ["-5", "soon", "", "Thu, 01 Jan 1970 00:00:00 GMT"])
async def test_a_retry_after_that_makes_no_sense_hastens_nothing(office: Office, said: str) -> None:
    subscriber = await office.subscriber()
    office.door.steps[subscriber.url] = [answers(503, retry_after=said), answers(204)]
    await office.owe(subscriber)
    await office.run(MINUTE)
    assert [sent.at - office.door.sent[0].at for sent in office.door.sent] == [0, 5 * SECOND]


async def test_a_retry_after_of_a_year_is_a_day(office: Office) -> None:
    subscriber = await office.subscriber()
    office.door.steps[subscriber.url] = [answers(503, retry_after=str(365 * 86_400)), answers(204)]
    await office.owe(subscriber)
    await office.run(2 * DAY)
    assert [sent.at - office.door.sent[0].at for sent in office.door.sent] == [0, DAY]


async def test_a_subscriber_may_have_a_schedule_of_its_own(office: Office) -> None:
    own, usual = await office.subscriber(schedule=[0, SECOND, MINUTE]), await office.subscriber("b")
    for subscriber in (own, usual):
        office.door.steps[subscriber.url] = [answers(500)]
    mine, theirs = await office.owe(own), await office.owe(usual)
    start = office.time.now
    await office.run(80 * HOUR)
    sent = [(one.url, one.at - start) for one in office.door.sent]
    assert [at for url, at in sent if url == own.url] == [0, SECOND, SECOND + MINUTE]
    assert [at for url, at in sent if url == usual.url] == list(accumulate(DELAYS))
    assert [(await office.delivery(one))["status"] for one in (mine, theirs)] == ["dead", "dead"]


async def test_five_days_without_one_arrival_disable_a_subscriber(office: Office) -> None:
    subscriber = await office.subscriber()
    operator = await office.subscriber("operator", events=["subscriber.*", "delivery.dead"])
    office.door.steps[subscriber.url] = [answers(500)]
    for _ in range(6 * 4):
        if (await office.ledger.read(subscribers.get, subscriber.id)).enabled:
            await office.owe(subscriber)
        await office.run(6 * HOUR)
    row = await office.ledger.read(subscribers.get, subscriber.id)
    assert not row.enabled
    assert row.disabled_reason.startswith("every attempt has failed since ")
    assert [sent.url for sent in office.door.sent].count(operator.url) == 2  # the warning, and the end
    last = max(sent.at for sent in office.door.sent if sent.url == subscriber.url)
    first = min(sent.at for sent in office.door.sent if sent.url == subscriber.url)
    assert 5 * DAY <= last - first < 5 * DAY + 24 * HOUR
    assert {one.status for one in await rows(office.ledger, deliveries)} <= {"skipped", "dead", "delivered"}
