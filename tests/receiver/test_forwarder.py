"""Getting a delivery there: the schedule, the signatures, the limits, and what goes wrong."""

import json
from itertools import accumulate

import pytest
from builders import rows

from ledger import deliveries, subscribers
from ledger.clock import HOUR, MINUTE, SECOND
from ledger.keys import SecretKeys
from ledger.schema import attempts, schema
from receiver.egress import Egress, ErrorClass, Response
from receiver.forwarder import MAX_IN_FLIGHT, RESERVE
from receiver.signing import new_secret, verify

from .office import DELAYS, KEYS, SECRET, TIMEOUT, Office, answers, fails

pytestmark = pytest.mark.anyio

OLD_SECRET = new_secret(lambda count: b"o" * count)


async def test_a_delivery_arrives_signed(office: Office) -> None:
    delivery_id = await office.owe(await office.subscriber())
    await office.run(1)
    (sent,) = office.door.sent
    delivery = await office.delivery(delivery_id)
    assert sent.url == "https://a.example/hook"
    assert verify(SECRET, sent.headers, sent.body, sent.at // SECOND).ok
    assert sent.headers["webhook-id"] == delivery["notification_id"]
    assert sent.headers["content-type"] == "application/json"
    assert json.loads(sent.body)["type"] == "postback.ping"
    assert (delivery["status"], delivery["attempt_count"], delivery["last_error"]) == ("delivered", 1, None)
    assert delivery["next_attempt_at"] is None
    assert delivery["finished_at"] is not None


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.75, 0.999999])
async def test_the_whole_schedule(office: Office, jitter: float) -> None:
    office.door.steps["https://a.example/hook"] = [answers(500)]
    start, delivery_id = office.time.now, await office.owe(await office.subscriber())
    await office.run(100 * HOUR, jitter=jitter)
    assert [sent.at - start for sent in office.door.sent] == list(
        accumulate([0, *(round(delay * (0.9 + 0.2 * jitter)) for delay in DELAYS[1:])])
    )
    delivery = await office.delivery(delivery_id)
    assert (delivery["status"], delivery["attempt_count"]) == ("dead", 10)
    assert delivery["last_error"] == "the subscriber answered HTTP 500"
    assert [one["number"] for one in await office.attempts(delivery_id)] == list(range(1, 11))
    assert len({sent.headers["webhook-id"] for sent in office.door.sent}) == 1
    assert len({sent.body for sent in office.door.sent}) == 1
    for sent in office.door.sent:
        assert verify(SECRET, sent.headers, sent.body, sent.at // SECOND, tolerance=0).ok


async def test_seventy_five_hours_in_a_dozen_passes(office: Office) -> None:
    office.door.steps["https://a.example/hook"] = [answers(500)]
    await office.owe(await office.subscriber())
    assert await office.run(100 * HOUR) <= 2 * len(DELAYS) + 1


@pytest.mark.parametrize(
    ("retry_after", "delay"), [("90", 90 * SECOND), ("1", 5 * SECOND), ("999999", 24 * HOUR), ("soon", 5 * SECOND)]
)
async def test_retry_after_delays_and_never_hastens(office: Office, retry_after: str, delay: int) -> None:
    office.door.steps["https://a.example/hook"] = [answers(503, retry_after=retry_after), answers(204)]
    await office.owe(await office.subscriber())
    await office.run(25 * HOUR)
    first, second = office.door.sent
    assert second.at - first.at == delay


async def test_gone_ends_it_all(office: Office) -> None:
    office.door.steps["https://a.example/hook"] = [answers(410)]
    subscriber = await office.subscriber(max_in_flight=1)
    first, second = await office.owe(subscriber), await office.owe(subscriber)
    await office.run(100 * HOUR)
    assert len(office.door.sent) == 1
    statuses = {(await office.delivery(one))["status"] for one in (first, second)}
    assert statuses == {"dead", "skipped"}
    row = await office.ledger.read(subscribers.get, subscriber.id)
    assert (row.enabled, row.disabled_reason) == (False, "it answered 410 Gone")


@pytest.mark.parametrize("error_class", ["dns", "connect", "tls", "timeout", "guard", "response"])
async def test_each_failure_is_remembered_and_tried_again(office: Office, error_class: ErrorClass) -> None:
    office.door.steps["https://a.example/hook"] = [fails(error_class, "it went wrong"), answers(200, b"thanks")]
    delivery_id = await office.owe(await office.subscriber())
    await office.run(1)
    waiting = await office.delivery(delivery_id)
    assert (waiting["status"], waiting["last_error"]) == ("pending", "it went wrong")
    assert waiting["next_attempt_at"] == "2023-11-14T22:13:25.000Z"
    await office.run(MINUTE)
    first, second = await office.attempts(delivery_id)
    assert (first["error_class"], first["error"], first["status_code"]) == (error_class, "it went wrong", None)
    assert (second["error_class"], second["status_code"], second["response_excerpt"]) == (None, 200, "thanks")
    assert (await office.delivery(delivery_id))["last_error"] is None


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500])
async def test_whatever_is_not_2xx_is_a_failure(office: Office, status: int) -> None:
    office.door.steps["https://a.example/hook"] = [answers(status, b"\x00\xff no", truncated=True)]
    delivery_id = await office.owe(await office.subscriber())
    await office.run(1)
    (attempt,) = await office.attempts(delivery_id)
    assert (attempt["status_code"], attempt["error_class"], attempt["duration_ms"]) == (status, "status", 7)
    assert attempt["response_excerpt"] == "\ufffd\ufffd no […cut]"
    assert attempt["trigger"] == "schedule"


async def test_a_private_address_is_refused_by_the_guard(office: Office) -> None:
    delivery_id = await office.owe(await office.subscriber(url="http://127.0.0.1:9/hook?key=secret"))
    egress = Egress([], TIMEOUT)
    await office.run(1, egress=egress)
    await egress.close()
    (attempt,) = await office.attempts(delivery_id)
    assert attempt["error_class"] == "guard"
    assert "secret" not in attempt["error"]
    assert (await office.delivery(delivery_id))["status"] == "pending"


async def test_two_secrets_sign_through_the_grace_period(office: Office) -> None:
    subscriber = await office.subscriber(sealed_secret=KEYS.encrypt(OLD_SECRET))
    await office.ledger.write(subscribers.rotate, subscriber.id, {"sealed_secret": KEYS.encrypt(SECRET)}, HOUR)
    await office.owe(subscriber)
    await office.run(1)
    await office.run(HOUR)
    await office.owe(subscriber)
    await office.run(1)
    during, after = office.door.sent
    assert len(during.headers["webhook-signature"].split()) == 2
    assert verify(OLD_SECRET, during.headers, during.body, during.at // SECOND).ok
    assert verify(SECRET, during.headers, during.body, during.at // SECOND).ok
    assert not verify(OLD_SECRET, after.headers, after.body, after.at // SECOND).ok
    assert verify(SECRET, after.headers, after.body, after.at // SECOND).ok


async def test_custom_headers_cannot_stand_in_for_ours(office: Office) -> None:
    custom = {
        "Authorization": "Bearer theirs",
        "Webhook-Signature": "v1,forged",
        "webhook-id": "forged",
        "WEBHOOK-TIMESTAMP": "0",
        "Content-Type": "text/plain",
    }
    await office.owe(await office.subscriber(sealed_headers=KEYS.encrypt(json.dumps(custom))))
    await office.run(1)
    (sent,) = office.door.sent
    assert verify(SECRET, sent.headers, sent.body, sent.at // SECOND).ok
    assert sent.headers["Authorization"] == "Bearer theirs"
    assert len({name.lower() for name in sent.headers}) == len(sent.headers)
    assert sent.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "sealed", [KEYS.encrypt("not a secret"), "not sealed", ""], ids=["not a secret", "not sealed", "forgotten"]
)
async def test_a_secret_that_cannot_sign_is_a_visible_error(office: Office, sealed: str) -> None:
    subscriber = await office.subscriber(sealed_secret=sealed)
    well = await office.subscriber("well")
    delivery_id, other = await office.owe(subscriber), await office.owe(well)
    await office.run(1)
    delivery = await office.delivery(delivery_id)
    assert (delivery["status"], delivery["attempt_count"]) == ("pending", 1)
    assert delivery["last_error"].startswith("the delivery cannot be signed: ")
    assert "not a secret" not in delivery["last_error"]
    assert (await office.delivery(other))["status"] == "delivered"


async def test_wrong_keys_are_a_visible_error(office: Office) -> None:
    delivery_id = await office.owe(await office.subscriber())
    await office.run(1, keys=SecretKeys(["quite another key"]))
    assert office.door.sent == []
    assert "POSTBACK_SECRET_KEYS" in (await office.delivery(delivery_id))["last_error"]


async def test_no_more_are_sent_at_once_than_there_is_room(office: Office) -> None:
    for name in "abc":
        subscriber = await office.subscriber(name, max_in_flight=200)
        office.door.steps[subscriber.url] = [office.slow(SECOND)]
        await office.owe(subscriber, 200)
    await office.run(10 * SECOND)
    assert MAX_IN_FLIGHT - RESERVE - 3 < office.door.most_open <= MAX_IN_FLIGHT - RESERVE  # shared evenly by three
    assert len(office.door.sent) == 600
    assert {row.status for row in await rows(office.ledger, schema.tables["deliveries"])} == {"delivered"}
    assert max(sent.at for sent in office.door.sent) - office.door.sent[0].at == 3 * SECOND


async def test_those_that_end_together_claim_the_next_as_they_are_recorded(office: Office) -> None:
    subscriber = await office.subscriber(max_in_flight=20)
    await office.owe(subscriber, 100)
    assert await office.run(1) == 2, "one that begins, and one that finds nothing more"
    assert len(office.door.sent) == 100
    assert office.door.most_open <= 20
    assert {row.status for row in await rows(office.ledger, schema.tables["deliveries"])} == {"delivered"}


async def test_nothing_is_claimed_any_more_when_it_is_stopping(office: Office) -> None:
    await office.owe(await office.subscriber(max_in_flight=20), 100)
    forwarder = office.forwarder(stopping=lambda: True)
    await forwarder.run_once(office.time.now)
    await office.crew.work()
    assert len(office.door.sent) == 20
    states = [row.status for row in await rows(office.ledger, schema.tables["deliveries"])]
    assert (states.count("delivered"), states.count("pending")) == (20, 80)


async def test_a_slow_subscriber_does_not_stop_the_others(office: Office) -> None:
    slow = await office.subscriber("slow", max_in_flight=10)
    office.door.steps[slow.url] = [office.slow(14 * SECOND)]
    await office.owe(slow, 30)
    fast = await office.subscriber("fast", max_in_flight=10)
    await office.owe(fast, 30)
    await office.run(SECOND)
    sent = [one.url for one in office.door.sent]
    assert (sent.count(slow.url), sent.count(fast.url)) == (10, 30)
    await office.run(MINUTE)
    assert len(office.door.sent) == 60


async def test_a_process_that_stops_while_sending(office: Office) -> None:
    office.door.steps["https://a.example/hook"] = [office.slow(HOUR), answers(204)]
    delivery_id = await office.owe(await office.subscriber())
    await office.forwarder().run_once(office.time.now)
    await office.crew.work()
    await office.crew.die()
    await office.run(MINUTE)
    assert len(office.door.sent) == 2
    assert (await office.delivery(delivery_id))["status"] == "delivered"


async def test_a_redelivery_has_a_fresh_schedule_and_its_numbers_go_on(office: Office) -> None:
    office.door.steps["https://a.example/hook"] = [answers(500)]
    subscriber = await office.subscriber()
    delivery_id = await office.owe(subscriber)
    await office.run(100 * HOUR)
    # Something arrives in between, or its subscriber would be disabled on the way.
    office.door.steps["https://a.example/hook"] = [answers(204), answers(500)]
    await office.owe(subscriber)
    await office.run(1)
    office.door.sent.clear()
    await office.ledger.write(deliveries.redeliver, delivery_id)
    again = office.time.now
    await office.run(100 * HOUR)
    assert [sent.at - again for sent in office.door.sent] == list(accumulate(DELAYS))
    made = await office.attempts(delivery_id)
    assert [one["number"] for one in made] == list(range(1, 21))
    assert [one["trigger"] for one in made[9:12]] == ["schedule", "manual", "schedule"]


async def test_an_answer_after_the_subscriber_was_deleted_is_remembered(office: Office) -> None:
    async def deleted_meanwhile() -> Response:
        await office.ledger.write(subscribers.delete, subscriber.id)
        return Response(204, {}, b"", False, 7)

    subscriber = await office.subscriber(max_in_flight=1)
    office.door.steps[subscriber.url] = [deleted_meanwhile]
    first = await office.owe(subscriber)
    second = await office.owe(subscriber)
    await office.run(MINUTE)
    assert (await office.delivery(first))["status"] == "delivered"
    delivery = await office.delivery(second)
    assert (delivery["status"], delivery["last_error"]) == ("skipped", "the subscriber was deleted")
    assert len(await rows(office.ledger, attempts)) == 1
