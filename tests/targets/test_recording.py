"""`recording.record`: jobs and whom they tell, in one transaction."""

import asyncio
from typing import Any

import pytest
from builders import count, draft, subscribed
from sqlalchemy import Connection, event

from ledger import jobs, recording, subscribers
from ledger.jobs import Draft, KeysReused
from ledger.ledger import Ledger
from ledger.moment import Moment
from ledger.one_offs import Target
from ledger.recording import Recorded, Strangers, record
from ledger.schema import jobs as table
from ledger.schema import subscribers as subscriber_table

pytestmark = pytest.mark.anyio


def keyed(key: str, **changes: Any) -> Draft:
    return draft(idempotency_key=key, idempotency_digest="d", **changes)


def to(host: str) -> Target:
    return Target(f"https://{host}.example/hook", f"sealed for {host}")


async def test_jobs_come_back_in_order_with_their_targets(ledger: Ledger) -> None:
    assert await ledger.write(record, []) == []
    made = await ledger.write(record, [draft(notify=to("a")), draft(), keyed("k", notify=to("b"))])
    assert [one.target for one in made] == [to("a"), None, to("b")]
    assert [await ledger.read(jobs.get, one.job.id) for one in made] == [one.job for one in made]
    again = await ledger.write(record, [keyed("k", notify=to("made anew")), draft()])
    assert again[0] == made[2]
    await ledger.write(subscribers.delete, made[2].job.notify_id)
    assert await ledger.write(record, [keyed("k")]) == [Recorded(made[2].job, None)]


async def test_strangers_are_told_by_their_places_and_nothing_is_recorded(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_PART", 2)
    known = [(await subscribed(ledger)).id for _ in range(5)]
    drafts = [
        draft(subscribers=known),
        draft(subscribers=["sub_a", known[3], "sub_b"]),
        draft(subscribers=[]),
        draft(),
        keyed("k", subscribers=[known[0], "sub_a"], notify=to("a")),
    ]
    with pytest.raises(Strangers) as strangers:
        await ledger.write(record, drafts)
    assert strangers.value.places == ((1, 0), (1, 2), (4, 1))
    assert await count(ledger, table) == 0
    assert await count(ledger, subscriber_table) == 5


async def test_who_was_named_may_be_deleted_before_the_request_comes_again(ledger: Ledger) -> None:
    named = await subscribed(ledger)
    (made,) = await ledger.write(record, [keyed("k", subscribers=[named.id])])
    await ledger.write(subscribers.delete, named.id)
    assert await ledger.write(record, [keyed("k", subscribers=[named.id])]) == [made]
    with pytest.raises(Strangers) as strangers:
        await ledger.write(record, [keyed("k", subscribers=[named.id]), keyed("new", subscribers=[named.id])])
    assert strangers.value.places == ((1, 0),)
    other = draft(idempotency_key="k", idempotency_digest="other", subscribers=["sub_a"])
    with pytest.raises(KeysReused):
        await ledger.write(record, [other])


async def test_two_processes_with_the_same_keys_make_one_secret_each(pair: tuple[Ledger, Ledger]) -> None:
    asked = [[keyed(f"k-{i}", notify=to(f"{who}-{i % 7}")) for i in range(100)] for who in "ab"]
    one, other = await asyncio.gather(pair[0].write(record, asked[0]), pair[1].write(record, asked[1][::-1]))
    assert one == other[::-1]
    assert await count(pair[0], table) == await count(pair[0], subscriber_table) == 100


async def test_two_processes_open_the_same_lanes_in_no_circle(pair: tuple[Ledger, Ledger]) -> None:
    for turn in range(3):
        hosts = [f"h{turn}-{i}" for i in range(100)]
        orders = ([draft(notify=to(host)) for host in way] for way in (hosts, hosts[::-1]))
        await asyncio.gather(*(ledger.write(record, drafts) for ledger, drafts in zip(pair, orders, strict=True)))
    assert await count(pair[0], subscriber_table) == 600


async def test_a_thousand_with_all_there_is_cost_few_statements(ledger: Ledger) -> None:
    named = [(await subscribed(ledger)).id for _ in range(100)]

    def counted(connection: Connection, moment: Moment, drafts: list[Draft]) -> int:
        sent: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *given: sent.append(given[2]))
        record(connection, moment, drafts)
        return len(sent)

    drafts = [keyed(f"k-{i}", subscribers=named, notify=to("a")) for i in range(1_000)]
    assert await ledger.write(counted, drafts) <= 20
    assert await ledger.write(counted, drafts) <= 6
    assert await count(ledger, table) == 1_000
