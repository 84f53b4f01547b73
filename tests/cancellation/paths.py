"""Every path that writes, as work that can be done again and again on an emptied ledger."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import httpx2 as httpx
from builders import claimed, pending, queued, rows, succeeded, unconfirmed

from dispatcher.callback import CallbackPoster
from dispatcher.client import ProviderClient
from dispatcher.poller import Poller
from dispatcher.submitter import Submitter
from ledger import jobs, settling
from ledger.accept import Arrival, accept
from ledger.clock import HOUR, rfc3339
from ledger.deliveries import Attempt
from ledger.lane import Circuit
from ledger.pace import Limit
from ledger.schema import deliveries
from ledger.settling import Settlement
from providers import PROVIDERS
from providers.protocol import Account
from receiver.archiver import Archiver
from receiver.egress import Egress
from receiver.forwarder import Forwarder
from tests.api.stage import ORDER, finished
from tests.cancellation.world import World, says

Said = list[int]
Make = Callable[[World], Awaitable[Callable[[Said], Coroutine[Any, Any, None]]]]
"""Prepares the ledger, and returns the work to be cut. Work that answers requests notes the statuses it has sent."""


async def callback(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    await world.stage.listener()
    job = await pending(world.ledger)
    return lambda said: world.ask(said, "POST", world.stage.callback_path(job), finished(), key=False)


async def new_job(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    await world.stage.listener(events=["*"])
    return lambda said: world.ask(said, "POST", "/v1/jobs", ORDER)


async def cancel(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    await world.stage.listener()
    job = await queued(world.ledger)
    return lambda said: world.ask(said, "POST", f"/v1/jobs/{job.id}/cancel")


async def resubmit(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    job = await unconfirmed(world.ledger)
    return lambda said: world.ask(said, "POST", f"/v1/jobs/{job.id}/resubmit")


async def erase(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    job = await _done(world, archive=True)
    return lambda said: world.ask(said, "DELETE", f"/v1/jobs/{job.id}")


async def subscribe(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    return lambda said: world.ask(said, "POST", "/v1/subscribers", {"url": world.web})


async def disable(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    subscriber = await world.stage.listener(url=world.web)
    await _done(world)
    return lambda said: world.ask(said, "PATCH", f"/v1/subscribers/{subscriber}", {"enabled": False})


async def rotate(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    subscriber = await world.stage.listener(url=world.web)
    return lambda said: world.ask(said, "POST", f"/v1/subscribers/{subscriber}/rotate-secret", {})


async def trial(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    subscriber = await world.stage.listener(url=world.web)
    return lambda said: world.ask(said, "POST", f"/v1/subscribers/{subscriber}/test", {})


async def redeliver(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    delivery = (await _dead(world)).id
    return lambda said: world.ask(said, "POST", f"/v1/deliveries/{delivery}/redeliver")


async def recover(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    subscriber = (await _dead(world)).subscriber_id
    window = {"since": rfc3339(world.ledger.clock() - HOUR), "replay_missing": True}
    return lambda said: world.ask(said, "POST", f"/v1/subscribers/{subscriber}/recover", window)


async def submit(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    await world.stage.listener(events=["*"])
    await queued(world.ledger)
    answer = {"request_id": "r", "output": {"task_id": "task-1", "task_status": "PENDING"}}
    submitter = Submitter(
        world.ledger,
        {"dashscope": _client(world, answer)},
        world.stage.house.tokens,
        _poster(world),
        public_url="http://postback.test",
        limits={"dashscope": Limit(0)},
        deadline=24 * HOUR,
        poll_after={},
        spawn=world.spawned.append,
    )
    return lambda said: world.pass_and_work(submitter)


async def poll(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    await world.stage.listener()
    job = await pending(world.ledger)
    world.stage.clock.now = max(world.stage.clock.now, job.due_at or 0)
    poller = Poller(
        world.ledger,
        {"dashscope": _client(world, finished())},
        _poster(world),
        rates={"dashscope": 20},
        spawn=world.spawned.append,
    )
    return lambda said: world.pass_and_work(poller)


async def forward(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    await world.stage.listener(url=world.web)
    await _done(world)
    forwarder = Forwarder(
        world.ledger,
        world.stage.house.courier(),
        schedule=[0, HOUR],
        timeout=5_000,
        circuit=Circuit(),
        spawn=world.spawned.append,  # type: ignore[arg-type]
    )
    return lambda said: world.pass_and_work(forwarder)


async def archive(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    await world.stage.listener(events=["*"])
    await _done(world, archive=True)

    async def run() -> None:
        egress = Egress(world.stage.house.settings.allow_networks, 5_000)
        try:
            archiver = Archiver(
                world.ledger,
                egress,
                world.stage.house.storage,
                link=world.stage.house.links.url,
                max_size=100_000,
                quota=1_000_000,
                spawn=world.spawned.append,
            )
            await world.pass_and_work(archiver)
        finally:
            await egress.close()

    return lambda said: run()


async def read(world: World) -> Callable[[Said], Coroutine[Any, Any, None]]:
    job = await _done(world)
    return lambda said: world.ask(said, "GET", f"/v1/jobs/{job.id}/timeline")


PATHS: Mapping[str, Make] = {
    make.__name__: make
    for make in (
        callback,
        new_job,
        cancel,
        resubmit,
        erase,
        subscribe,
        disable,
        rotate,
        trial,
        redeliver,
        recover,
        submit,
        poll,
        forward,
        archive,
        read,
    )
}


def _client(world: World, answer: Any) -> ProviderClient:
    account = Account("https://dashscope.test/api/v1", "sk")
    return ProviderClient(PROVIDERS["dashscope"], account, world.stage.house.tokens.blank, says(answer))


def _poster(world: World) -> CallbackPoster:
    """As in a process that is its own receiver."""
    http = httpx.AsyncClient(transport=httpx.ASGITransport(world.stage.app))
    return CallbackPoster(http, "http://postback.test", world.stage.house.tokens)


async def _done(world: World, *, archive: bool = False) -> Any:
    """A job that has just succeeded, with one image."""
    job = await pending(world.ledger)
    arrival = Arrival(job.id, job.provider, {}, b"{}", succeeded(f"{world.web}/1.png"))
    assert await world.ledger.write(accept, [arrival], archive=archive) == ["accepted"]
    return await world.ledger.read(jobs.get, job.id)


async def _dead(world: World) -> Any:
    """A delivery that has used up its schedule."""
    await world.stage.listener(url=world.web)
    await _done(world)
    (parcel,) = (await claimed(world.ledger)).rows
    attempt = Attempt(world.ledger.clock(), 5, 500, "status", "the subscriber answered HTTP 500")
    assert await world.ledger.write(settling.settle, [Settlement(parcel.id, parcel.lease, attempt, "dead")]) == [True]
    return (await rows(world.ledger, deliveries))[0]
