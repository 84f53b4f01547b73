import json

import pytest
from builders import NOW, calls_back, done, pending, rows, subscribed, succeeded, unfinished

from ledger import jobs
from ledger import notifications as reading
from ledger.events import EVENT_OF_STATE, EVENTS, wants
from ledger.ids import Ids
from ledger.job import Job
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.outbox import Outbox
from ledger.schema import deliveries, notifications
from ledger.subscribers import change

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("events", "event", "wanted"),
    [
        (["*"], "job.running", True),
        (["*"], "postback.ping", True),
        (["job.*"], "job.archived", True),
        (["job.*"], "jobs.archived", False),
        (["job.*"], "delivery.dead", False),
        (["job.failed"], "job.failed", True),
        (["job.failed"], "job.fail", False),
        (["job"], "job.failed", False),
        ([], "job.failed", False),
    ],
)
def test_which_events_a_pattern_wants(events: list[str], event: str, wanted: bool) -> None:
    assert wants(events, event) is wanted


def test_every_state_that_notifies_has_an_event() -> None:
    assert set(EVENT_OF_STATE.values()) <= set(EVENTS)


async def test_each_subscriber_gets_what_it_listens_to(ledger: Ledger) -> None:
    subscribers = {
        name: (await subscribed(ledger, **({} if events is None else {"events": events}))).id
        for name, events in {
            "default": None, "all": ["*"], "jobs": ["job.*"], "running": ["job.running"], "operator": ["delivery.dead"],
        }.items()
    }  # fmt: skip
    job = await pending(ledger)
    await calls_back(ledger, job, unfinished(), succeeded())
    made = await rows(ledger, deliveries)
    got = {name: [row.type for row in made if row.subscriber_id == one] for name, one in subscribers.items()}
    everything = ["job.submitted", "job.running", "job.succeeded"]
    assert got == {
        "default": ["job.succeeded"],
        "all": everything,
        "jobs": everything,
        "running": ["job.running"],
        "operator": [],
    }
    assert {(row.status, row.due_at, row.job_id) for row in made} == {("pending", NOW, job.id)}


async def test_steps_on_the_way_are_recorded_only_when_somebody_listens(ledger: Ledger) -> None:
    job = await pending(ledger)
    await calls_back(ledger, job, unfinished(), succeeded())
    assert [(row.type, row.sequence) for row in await rows(ledger, notifications)] == [("job.succeeded", 1)]


async def test_a_disabled_subscriber_gets_a_delivery_that_was_visibly_skipped(ledger: Ledger) -> None:
    subscriber = await subscribed(ledger)
    await ledger.write(change, subscriber.id, {"enabled": False})
    await done(ledger)
    (delivery,) = await rows(ledger, deliveries)
    assert (delivery.status, delivery.due_at, delivery.finished_at) == ("skipped", None, NOW)
    assert delivery.last_error == "the subscriber is disabled"


async def test_the_first_attempt_waits_as_long_as_the_schedule_says(ledger: Ledger) -> None:
    await subscribed(ledger)
    late = Ledger(ledger.database, clock=ledger.clock, first_delay=5_000)
    await done(late)
    assert [row.due_at for row in await rows(ledger, deliveries)] == [NOW + 5_000]


async def test_a_notification_is_a_snapshot_and_counts_on(ledger: Ledger) -> None:
    await subscribed(ledger, events=["*"])
    job = await pending(ledger)
    (submitted,) = await rows(ledger, notifications)
    await calls_back(ledger, job, succeeded())
    first, second = await rows(ledger, notifications)
    assert first.body == submitted.body
    sent = json.loads(second.body)
    assert list(sent) == ["type", "timestamp", "data"]
    assert (sent["type"], sent["timestamp"]) == ("job.succeeded", "2023-11-14T22:13:20.000Z")
    assert sent["data"] == (await ledger.read(jobs.get, job.id)).document() | {"sequence": 2}
    assert json.loads(first.body)["data"]["sequence"] == 1
    assert json.loads(first.body)["data"]["status"] == "pending"
    shown = reading.document(await ledger.read(reading.get, second.id))
    assert shown == {"id": second.id, "job_id": job.id, "created_at": sent["timestamp"]} | sent


async def test_notifications_are_found_by_job_and_type(ledger: Ledger) -> None:
    one, two = await done(ledger), await done(ledger)
    for wanted, found in [
        (reading.Filter(), [two.id, one.id]),
        (reading.Filter(job_id=one.id), [one.id]),
        (reading.Filter(type="job.failed"), []),
    ]:
        page = await ledger.read(reading.find, wanted, cursor=None, limit=50)
        assert [row.job_id for row in page.data] == found


async def test_an_event_for_one_subscriber_reaches_it_alone(ledger: Ledger) -> None:
    one, _ = await subscribed(ledger, events=[]), await subscribed(ledger, events=["*"])

    def send(connection: object, moment: Moment) -> str:
        outbox = Outbox(connection, moment)  # type: ignore[arg-type]
        sent = outbox.send("postback.ping", {"subscriber_id": one.id}, one.id)
        outbox.write()
        return sent

    sent = await ledger.write(send)
    assert [(row.id, row.subscriber_id, row.job_id) for row in await rows(ledger, deliveries)] == [(sent, one.id, None)]


def test_the_callback_url_and_inner_fields_are_not_on_the_wire() -> None:
    job = Job(Ids().new("job", NOW), "dashscope", "m", "queued", {}, {}, {}, NOW, idempotency_key="k")
    assert set(job.document()) == {
        "id", "provider", "model", "status", "task_id", "input", "parameters", "metadata", "results", "metrics",
        "usage", "error", "warnings", "created_at", "submitted_at", "finished_at", "resubmit_of",
    }  # fmt: skip
