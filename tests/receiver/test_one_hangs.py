"""Row 37: a hundred subscribers, of which one never answers. In virtual time no other waits for it at all; what it
costs them on a real machine, their p99, is measured by `scripts/bench isolation`."""

from collections import Counter

import pytest

from ledger.clock import SECOND
from ledger.lane import DEFAULT_MAX_IN_FLIGHT, Circuit
from receiver.egress import EgressError, Response
from receiver.forwarder import MAX_IN_FLIGHT, RESERVE

from .office import TIMEOUT, Office

OTHERS = 99
BACKLOG = 1_000
NEVER = Circuit(failures=1_000_000)
"""A circuit would end the trouble before long; here the trouble is what is looked at."""


async def test_nobody_waits_for_the_one_that_never_answers(office: Office) -> None:
    open_at_once = 0
    most = 0

    async def hang() -> Response:
        nonlocal open_at_once, most
        open_at_once += 1
        most = max(most, open_at_once)
        await office.time.sleep(TIMEOUT / SECOND)
        open_at_once -= 1
        raise EgressError("timeout", "no answer in time")

    stuck = await office.subscriber("stuck")
    office.door.steps[stuck.url] = [hang]
    await office.owe(stuck, BACKLOG)  # older than whatever the others are owed
    others = [await office.subscriber(f"well-{i}") for i in range(OTHERS)]
    forwarder = office.forwarder(circuit=NEVER)
    owed: list[tuple[int, str]] = []
    began = office.time.now

    for other in others:  # all at once
        await office.owe(other, 2)
        owed += [(office.time.now, other.url)] * 2
    await office.crew.run(forwarder.run_once, until=office.time.now + 1)
    for other in others:  # and one after the other, past several of its timeouts
        await office.owe(other)
        owed.append((office.time.now, other.url))
        await office.crew.run(forwarder.run_once, until=office.time.now + SECOND // 2)

    assert office.time.now - began > 3 * TIMEOUT
    begun = [(sent.at, sent.url) for sent in office.door.sent if sent.url != stuck.url]
    assert Counter(begun) == Counter(owed), "each begins in the very millisecond in which it is owed"
    assert 0 < most <= DEFAULT_MAX_IN_FLIGHT
    tried = [sent.at - began for sent in office.door.sent if sent.url == stuck.url]
    assert max(tried) >= 3 * TIMEOUT, "it goes on hanging all the time"


@pytest.mark.parametrize(("hanging", "each"), [(1, 1_000), (24, DEFAULT_MAX_IN_FLIGHT)])
async def test_nobody_waits_for_as_many_as_there_is_room_for(office: Office, hanging: int, each: int) -> None:
    async def hang() -> Response:
        await office.time.sleep(TIMEOUT / SECOND)
        raise EgressError("timeout", "no answer in time")

    for number in range(hanging):
        stuck = await office.subscriber(f"stuck-{number}", max_in_flight=each)
        office.door.steps[stuck.url] = [hang]
        await office.owe(stuck, 2 * MAX_IN_FLIGHT // hanging)
    well = await office.subscriber("well")
    forwarder = office.forwarder(circuit=NEVER)
    await office.crew.run(forwarder.run_once, until=office.time.now + SECOND)
    assert office.door.open >= MAX_IN_FLIGHT - RESERVE, "there is no room for more of them"

    owed = []
    for _ in range(5):
        await office.owe(well)
        owed.append(office.time.now)
        await office.crew.run(forwarder.run_once, until=office.time.now + SECOND)
    assert [sent.at for sent in office.door.sent if sent.url == well.url] == owed
    assert office.door.most_open <= MAX_IN_FLIGHT
