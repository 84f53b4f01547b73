"""Reading the provider's list while more jobs are out than could be asked about one by one."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
import structlog
from builders import pending, subscribed, unconfirmed

from dispatcher.canceler import cancel
from dispatcher.poller import Poller
from dispatcher.reconciler import Reconciler
from dispatcher.sweeper import EVERY, PAUSE, WORTH_IT, Sweeper
from ledger import polls, sweeps
from ledger.clock import DAY, MINUTE, SECOND
from ledger.job import Job

from .account import Account, busiest, gaps
from .beside import beside
from .crowd import measure
from .stage import DEADLINE, Stage
from .virtual import RunOnce
from .wire import Step, breaks, says

pytestmark = pytest.mark.anyio

RATE = 2
MANY = WORTH_IT * RATE
"""As many as are still asked about one by one."""


class Sweeping:
    """A sweeper and its poller."""

    def __init__(self, stage: Stage, account: Account, rate: float = RATE) -> None:
        self.stage, self.account, self.rates = stage, account, {"dashscope": float(rate), "acedata": 20.0}
        self.sweeper = Sweeper(stage.ledger, stage.clients, rates=self.rates, sleep=stage.time.sleep)
        self.poller = Poller(
            stage.ledger,
            stage.clients,
            stage.poster,
            rates=self.rates,
            spawn=stage.crew.spawn,
            swept=self.sweeper.swept,
            sleep=stage.time.sleep,
            jitter=lambda: 0.5,
        )
        self._loops = beside(stage.crew, stage.time, self.sweeper.run_once), self.poller.run_once

    async def work(self, milliseconds: int, *others: RunOnce) -> None:
        await self.stage.crew.run(*self._loops, *others, until=self.stage.time.now + milliseconds)


async def out(stage: Stage, count: int, *, lasts: int = 60 * MINUTE, size: int = 100, zone: int = 8) -> Account:
    """So many jobs at the provider."""
    account = Account(stage.time, lasts=lasts, size=size, zone=zone)
    stage.dashscope.fetches, stage.dashscope.cancels = [account.answers], [says(200, {"request_id": "r-1"})]
    job = await pending(stage.ledger, "more-first")
    account.took("more-first")
    await stage.more(job, count - 1)
    for number in range(count - 1):
        account.took(f"more-{number}")
    return account


async def test_few_jobs_are_asked_about_one_by_one(stage: Stage) -> None:
    account = await out(stage, MANY)
    sweeping = Sweeping(stage, account)
    await sweeping.work(MINUTE)
    assert account.lists == []
    assert len(set(account.asked)) == MANY


async def test_of_many_only_those_are_asked_about_that_have_finished(stage: Stage) -> None:
    account = await out(stage, MANY + 5)
    for name in ("more-3", "more-7"):
        account.took(name, lasts=20 * SECOND)
    sweeping = Sweeping(stage, account)
    await sweeping.work(19 * SECOND)
    assert sweeping.sweeper.swept() == {"dashscope"}
    assert account.asked == []
    await sweeping.work(20 * SECOND)
    assert sorted(account.asked) == ["more-3", "more-7"]
    assert len(stage.receiver.posts) == 2


async def test_what_runs_is_told_to_those_who_asked(stage: Stage) -> None:
    await subscribed(stage.ledger, events=["job.running"])
    job = await pending(stage.ledger)
    account = await out(stage, MANY + 5)
    account.took("task-1")
    sweeping = Sweeping(stage, account)
    await sweeping.work(30 * SECOND)
    assert (await stage.now(job)).status == "running"
    assert "job.running" in await stage.notified(job)
    assert account.asked == []


async def test_once_few_are_left_all_are_asked_about_at_once(stage: Stage) -> None:
    account = await out(stage, MANY + 1)
    account.took("more-3", lasts=20 * SECOND)
    sweeping = Sweeping(stage, account)
    await sweeping.work(MINUTE)
    assert sweeping.sweeper.swept() == frozenset()
    assert len(set(account.asked)) == MANY + 1
    lists = len(account.lists)
    await sweeping.work(MINUTE)
    assert len(account.lists) == lists


async def test_jobs_that_a_dead_process_left_waiting_are_asked_about_at_the_next_start(stage: Stage) -> None:
    account = await out(stage, 3)
    stage.time.now += SECOND
    await stage.ledger.write(polls.postpone, "dashscope")
    sweeping = Sweeping(stage, account)
    await sweeping.work(5 * SECOND)
    assert len(set(account.asked)) == 3


async def test_other_peoples_tasks_are_nothing_to_us(stage: Stage) -> None:
    account = await out(stage, MANY + 5)
    for number in range(40):
        account.took(f"foreign-{number}", lasts=SECOND)
    await Sweeping(stage, account).work(30 * SECOND)
    assert account.asked == []
    assert stage.receiver.posts == []


@pytest.mark.parametrize(
    "trouble",
    [
        says(429, {"code": "Throttling", "message": "x"}),
        says(502, "<h1>"),
        breaks(httpx.ReadError("…")),
        says(200, {}),
    ],
    ids=["throttled", "a gateway's error", "out of order", "unreadable"],
)
async def test_while_the_list_cannot_be_read_jobs_are_asked_about_one_by_one(stage: Stage, trouble: Step) -> None:
    account = await out(stage, MANY + 5)
    account.troubles = [trouble]
    sweeping = Sweeping(stage, account)
    await sweeping.work(PAUSE - SECOND)
    assert len(account.lists) == 1
    assert len(set(account.asked)) == MANY + 5
    await sweeping.work(20 * SECOND)
    assert len(account.lists) > 1
    assert sweeping.sweeper.swept() == {"dashscope"}


async def test_every_page_is_read(stage: Stage) -> None:
    account = await out(stage, MANY + 5, size=10)
    for number in range(0, MANY, 5):
        account.took(f"more-{number}", lasts=SECOND)
    sweeping = Sweeping(stage, account)
    await sweeping.work(40 * SECOND)
    finished = {f"more-{number}" for number in range(0, MANY, 5)}
    assert finished <= set(account.asked)


async def test_a_short_list_is_not_read_over_and_over(stage: Stage) -> None:
    account = await out(stage, WORTH_IT * 20 + 5, size=500)
    await Sweeping(stage, account, rate=20).work(31 * SECOND)
    assert set(gaps(account.lists)) == {EVERY}


async def test_the_window_is_never_longer_than_a_provider_allows(stage: Stage) -> None:
    account = await out(stage, MANY + 5, lasts=2 * DAY)
    stage.time.now += DAY - 2 * MINUTE
    account.took("more-3", lasts=SECOND)
    await Sweeping(stage, account).work(20 * SECOND)
    assert set(account.asked) <= {"more-first", "more-3"}  # the poller may be a moment faster
    assert "more-3" in account.asked


async def test_queries_lists_and_cancels_keep_to_one_limit(stage: Stage) -> None:
    rate = 4
    account = await out(stage, WORTH_IT * rate + 10, lasts=20 * SECOND, zone=0)
    waiting = [await pending(stage.ledger, f"waiting-{number}") for number in range(4)]
    for job in waiting:
        account.took(str(job.task_id), lasts=60 * MINUTE)
    await unconfirmed(stage.ledger)
    sweeping = Sweeping(stage, account, rate)
    reconciler = Reconciler(
        stage.ledger, stage.clients, rates=sweeping.rates, deadline=DEADLINE, sleep=stage.time.sleep
    )

    async def cancels(job: Job) -> None:
        assert (
            await cancel(stage.ledger, stage.clients, sweeping.rates, job.id, stage.time.sleep)
        ).status == "canceled"

    for job in waiting:
        stage.crew.spawn(cancels(job))
    await sweeping.work(MINUTE, beside(stage.crew, stage.time, reconciler.run_once))
    calls = stage.dashscope.times["fetch"] + stage.dashscope.times["cancel"]
    assert len(stage.receiver.posts) == WORTH_IT * rate + 10
    assert len(stage.dashscope.times["cancel"]) == 4
    assert busiest(calls) <= rate


async def test_a_cancel_gets_its_turn_among_saturated_questions(stage: Stage) -> None:
    account = await out(stage, 180)
    sweeping = Sweeping(stage, account, rate=20)
    await sweeping.work(5 * SECOND)
    job, start = await pending(stage.ledger, "one-more"), stage.time.now
    account.took("one-more")
    ended: list[int] = []

    async def cancels() -> None:
        await cancel(stage.ledger, stage.clients, sweeping.rates, job.id, stage.time.sleep)
        ended.append(stage.time.now)

    stage.crew.spawn(cancels())
    await sweeping.work(5 * SECOND)
    assert [at - start <= SECOND for at in ended] == [True]
    assert busiest(stage.dashscope.times["fetch"] + stage.dashscope.times["cancel"]) <= 20


async def test_a_provider_without_a_list_is_never_swept(stage: Stage) -> None:
    job = await pending(stage.ledger, "more-first", provider="acedata", model="flux-dev")
    await stage.more(job, 300)
    sweeper = Sweeper(
        stage.ledger, {"acedata": stage.clients["acedata"]}, rates={"acedata": 1.0}, sleep=stage.time.sleep
    )
    assert await sweeper.run_once(stage.time.now) is None
    assert sweeper.swept() == frozenset()
    assert (await stage.ledger.read(sweeps.watched, "acedata")).count == 301


@pytest.fixture
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is such a place: nothing is measured of the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.usefixtures("quiet")
async def test_a_crowd_costs_few_calls_and_never_too_many_at_once(anyio_backend: str, in_memory: Path) -> None:
    """At full size, where the goal is 1.3, with `scripts/bench polling`."""
    figures = await measure(in_memory, 300, swept=True)
    assert figures.finished == 300
    assert figures.calls_a_job <= 1.6
    assert figures.mean_delay <= 30
    assert figures.busiest_second <= 20
    assert figures.refused == 0
