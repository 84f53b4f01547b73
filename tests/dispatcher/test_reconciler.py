"""Unconfirmed jobs are found in their provider's list, or left to a person: never sent a second time."""

import asyncio
import random
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from builders import pending, subscribed
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.client import ProviderClient
from dispatcher.reconciler import MAX_PAGES, Reconciler
from ledger.clock import HOUR, MINUTE, SECOND
from ledger.job import Job
from postback.house import open_house
from postback.settings import load
from postback.simulator.app import create_app
from postback.simulator.wire import HANG_UP
from postback.simulator.world import World
from providers import PROVIDERS
from providers import protocol as words

from .account import Account
from .beside import beside
from .stage import DEADLINE, Stage
from .wire import Step, says

pytestmark = pytest.mark.anyio

RATES = {"dashscope": 20.0, "acedata": 20.0}
EMPTY_PAGES = {"data": [], "total_page": MAX_PAGES + 1}


async def work(stage: Stage, milliseconds: int = MINUTE) -> None:
    """Submitter, reconciler and poller for that long."""
    reconciler = Reconciler(stage.ledger, stage.clients, rates=RATES, deadline=DEADLINE, sleep=stage.time.sleep)
    loops = stage.submitter().run_once, beside(stage.crew, stage.time, reconciler.run_once), stage.poller().run_once
    await stage.crew.run(*loops, until=stage.time.now + milliseconds)


def account(stage: Stage, **changes: Any) -> Account:
    """DashScope as one that takes submissions and never says so."""
    made = Account(stage.time, **changes)
    stage.dashscope.submits, stage.dashscope.fetches = [made.cut], [made.answers]
    return made


def hanging_up(app: ASGIApp) -> ASGIApp:
    """The simulator on a wire that it can cut."""

    def cut() -> None:
        raise httpx.ReadError("…")

    async def wired(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "extensions": {HANG_UP: cut}}, receive, send)

    return wired


async def left_alone(stage: Stage, job: Job) -> bool:
    now = await stage.now(job)
    return (now.status, now.task_id, now.warnings) == ("unconfirmed", None, [])


@pytest.mark.parametrize("zone", [8, 0, None], ids=["China's time", "UTC", "the window ignored"])
async def test_a_cut_answer_is_found_within_a_minute_and_notified_once(stage: Stage, zone: int | None) -> None:
    await subscribed(stage.ledger, events=["*"])
    made = account(stage, zone=zone, lasts=20 * SECOND)
    made.took("older", at=stage.time.now - 10 * HOUR)
    job = await stage.job()
    await work(stage, 10 * SECOND)
    now = await stage.now(job)
    assert (now.status, now.task_id) == ("running", "taken-1")
    assert [warning.split(":")[0] for warning in now.warnings] == ["adopted"]
    await work(stage)
    assert (await stage.now(job)).status == "succeeded"
    assert await stage.notified(job) == ["job.unconfirmed", "job.submitted", "job.running", "job.succeeded"]
    assert await stage.diary(job) == ["unconfirmed", "adopted", "running"]
    await work(stage, 2 * MINUTE)
    assert len(stage.dashscope.submitted) == 1


async def test_against_the_simulator(stage: Stage) -> None:
    world = World(now=lambda: stage.time.now / 1_000, random=random.Random(7), delay=20.0, jitter=0.0, query_rate=20)
    home = words.Account("http://simulator.test/dashscope/api/v1", "sk-sim")
    transport = httpx.ASGITransport(hanging_up(create_app(world)))
    await stage.clients["dashscope"].__aexit__(None, None, None)
    stage.clients["dashscope"] = ProviderClient(PROVIDERS["dashscope"], home, stage.tokens.blank, transport)
    job, other = await stage.job(input={"prompt": "a fox [cut]"}), await stage.job(model="flux-dev")
    await work(stage)
    assert [(await stage.now(one)).status for one in (job, other)] == ["succeeded", "succeeded"]
    assert [warning.split(":")[0] for warning in (await stage.now(job)).warnings] == ["adopted"]
    assert await stage.notified(job) == ["job.unconfirmed", "job.succeeded"]
    assert len(world.tasks) == 2
    assert world.stats.throttled == 0


async def test_what_never_arrived_is_looked_for_and_then_left_to_a_person(stage: Stage) -> None:
    made = account(stage)
    stage.dashscope.submits = [says(500)]
    job = await stage.job()
    await work(stage, 10 * MINUTE)
    assert await stage.diary(job) == ["unconfirmed"]
    await work(stage, 4 * MINUTE)
    assert await left_alone(stage, job)
    assert await stage.diary(job) == ["unconfirmed", "not_found"]
    assert len(made.lists) == 2 * 8  # eight looks, in both zones
    assert len(stage.dashscope.submitted) == 1


async def test_a_list_that_shows_the_task_late(stage: Stage) -> None:
    made = account(stage)
    stage.dashscope.submits = [says(500)]
    job = await stage.job()
    start = stage.time.now
    await work(stage, 30 * SECOND)
    assert await left_alone(stage, job)
    made.took("late", at=start + SECOND)
    await work(stage, 30 * SECOND)
    assert (await stage.now(job)).task_id == "late"


@pytest.mark.parametrize(
    "trouble",
    [
        says(429, {"code": "Throttling", "message": "slow"}),
        says(401, {"code": "InvalidApiKey", "message": "who?"}),
        says(502, "<h1>Bad Gateway</h1>"),
        says(200, {"data": "x"}),
        says(200, EMPTY_PAGES),
    ],
    ids=["throttled", "refused", "a gateway's error", "unreadable", "too many pages"],
)
async def test_a_list_that_cannot_be_read_whole_adopts_nothing_until_it_can(stage: Stage, trouble: Step) -> None:
    made = account(stage)
    made.troubles = [trouble] * 2
    job = await stage.job()
    await work(stage, 4 * SECOND)
    assert await left_alone(stage, job)
    made.troubles = []
    await work(stage, 10 * SECOND)
    assert (await stage.now(job)).task_id == "taken-0"


async def test_a_list_that_breaks_off_after_its_first_page_adopts_nothing(stage: Stage) -> None:
    made = account(stage, size=1)
    made.took("foreign", model="flux-dev")  # so that there are two pages
    job = await stage.job()
    stage.dashscope.fetches = [made.answers, says(500)]
    await work(stage, 4 * SECOND)
    assert len(stage.dashscope.fetched) == 2
    assert await left_alone(stage, job)


async def test_every_page_counts(stage: Stage) -> None:
    made = account(stage, size=1)
    job = await stage.job()
    made.took("elsewhere", at=stage.time.now + SECOND)  # of the same model, but of another client of the account
    await work(stage, 14 * MINUTE)
    assert await left_alone(stage, job)
    assert await stage.diary(job) == ["unconfirmed", "not_found"]


async def test_two_of_a_model_that_were_cut_at_once_are_told_apart_by_nobody(stage: Stage) -> None:
    account(stage)
    made = [await stage.job() for _ in range(2)]
    await work(stage, 14 * MINUTE)
    assert [await left_alone(stage, job) for job in made] == [True, True]
    assert len(stage.dashscope.submitted) == 2


async def test_two_models_that_were_cut_at_once_are_both_found(stage: Stage) -> None:
    account(stage)
    made = [await stage.job(model=model) for model in ("flux-dev", "flux-schnell")]
    await work(stage)
    assert [(await stage.now(job)).task_id for job in made] == ["taken-0", "taken-1"]


async def test_a_task_that_another_job_holds_is_not_taken_from_it(stage: Stage) -> None:
    made = account(stage, lasts=HOUR)
    made.took("held")
    holder = await pending(stage.ledger, "held")
    stage.dashscope.submits = [says(500)]
    job = await stage.job()
    await work(stage)
    assert await left_alone(stage, job)
    assert (await stage.now(holder)).task_id == "held"


async def test_acedata_has_no_list_and_is_left_alone(stage: Stage) -> None:
    stage.acedata.submits = [says(500)]
    job = await stage.job(provider="acedata")
    await work(stage)
    assert await left_alone(stage, job)
    assert stage.acedata.fetched == []


@pytest.mark.parametrize("switched_on", [True, False])
async def test_it_can_be_switched_off(anyio_backend: str, tmp_path: Path, switched_on: bool) -> None:
    changes: dict[str, Any] = {"home": tmp_path, "dashscope_api_key": "sk-x", "reconcile": switched_on}
    house = await open_house(load(**changes), frozenset({"dispatcher"}))

    async def nobody(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nobody calls")

    await house.start(nobody)
    names = {running.get_name() for running in asyncio.all_tasks()}
    await house.stop()
    assert ("reconciler" in names) is switched_on
    assert {"submitter", "poller", "sweeper"} <= names
