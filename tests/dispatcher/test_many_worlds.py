"""Whatever providers, connections, processes and receivers do: no job is paid twice, and each ends once."""

import asyncio
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2 as httpx
from builders import calls_back, failed, succeeded
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.clock import MINUTE, SECOND
from ledger.ledger import Ledger, open_database
from ledger.schema import schema
from ledger.verdict import FINAL

from .stage import Stage
from .virtual import Time
from .wire import done, says, task

DEADLINE = 20 * SECOND
SETTLED = {*FINAL, "lost", "unconfirmed"}

submit_moods = st.sampled_from(
    [
        "takes",
        "takes slowly",
        "takes and is cut",
        "takes and errs",
        "takes as we die",
        "errs",
        "refuses",
        "throttles",
        "is not there",
    ]
)
fetch_moods = st.sampled_from(
    ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN", "THINKING", "throttles", "errs", "is cut", "is not there"]
)
receiver_faults = st.sampled_from([500, 503, 429, 404, httpx.ReadTimeout("…"), httpx.ConnectError("…")])


@dataclass
class World:
    """How one provider behaves, call by call, and which jobs (by prompt) it has taken."""

    time: Time
    submits: Iterator[str]
    fetches: Iterator[str]

    def __post_init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def submit(self, request: httpx.Request) -> httpx.Response:
        mood, prompt = next(self.submits), json.loads(request.content)["input"]["prompt"]
        if mood.startswith("takes"):
            self.taken[prompt] += 1
        match mood:
            case "takes slowly":
                await self.time.sleep(40)
            case "takes and is cut":
                raise httpx.ReadError("…")
            case "takes as we die":
                raise asyncio.CancelledError
            case "takes and errs" | "errs":
                return httpx.Response(502, html="<h1>Bad Gateway</h1>")
            case "refuses":
                return httpx.Response(400, json={"code": "InvalidParameter", "message": "no"})
            case "throttles":
                return httpx.Response(429, json={"code": "Throttling", "message": "slow"})
            case "is not there":
                raise httpx.ConnectError("…")
        return httpx.Response(200, json={"output": {"task_id": prompt, "task_status": "PENDING"}})

    async def fetch(self, request: httpx.Request) -> httpx.Response:
        task_id = request.url.path.rsplit("/", 1)[-1]
        match mood := next(self.fetches):
            case "SUCCEEDED":
                step = done(task_id)
            case "throttles":
                step = says(429, {"code": "Throttling", "message": "slow"}, retry_after="3")
            case "errs":
                step = says(500, {"code": "InternalError", "message": "oops"})
            case "is cut":
                raise httpx.RemoteProtocolError("…")
            case "is not there":
                raise httpx.ConnectError("…")
            case _:
                step = task(mood, task_id)
        return step(request)  # type: ignore[return-value]


@dataclass(frozen=True)
class Plan:
    """What happens in one world; after what is listed, the provider takes every job and works on it for ever."""

    jobs: int
    submits: list[str]
    fetches: list[str]
    faults: list[int | Exception]
    callbacks: list[tuple[int, bool]]
    """Which job is called back at the end of each third of the time, and whether it succeeded."""


plans = st.builds(
    Plan,
    jobs=st.integers(1, 3),
    submits=st.lists(submit_moods, min_size=3, max_size=6),
    fetches=st.lists(fetch_moods, min_size=3, max_size=12),
    faults=st.lists(receiver_faults, max_size=3),
    callbacks=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=3),
)


async def run(plan: Plan, folder: str) -> None:
    time = Time()
    database = await open_database(f"sqlite:///{Path(folder) / 'postback.sqlite3'}")
    await database.write(schema.create_all)
    ledger = Ledger(database, clock=time)
    stage = Stage(ledger, time)
    try:
        await play(plan, stage, time)
    finally:
        await stage.close()
        await ledger.close()


async def play(plan: Plan, stage: Stage, time: Time) -> None:
    world = World(
        time,
        itertools.chain(plan.submits, itertools.repeat("takes")),
        itertools.chain(plan.fetches, itertools.repeat("RUNNING")),
    )
    stage.dashscope.submits, stage.dashscope.fetches = [world.submit], [world.fetch]
    stage.receiver.faults = iter(plan.faults)
    made = [await stage.job(input={"prompt": f"job-{number}"}) for number in range(plan.jobs)]
    for third in range(3):
        await stage.pass_time(DEADLINE // 3, deadline=DEADLINE)
        if third < len(plan.callbacks):
            number, well = plan.callbacks[third]
            if world.taken[f"job-{number}"]:
                said = succeeded(task_id=f"job-{number}") if well else failed(task_id=f"job-{number}")
                await calls_back(stage.ledger, made[number], said, said)
    await stage.pass_time(2 * MINUTE, deadline=DEADLINE)

    assert stage.crew.failures == []
    assert all(times == 1 for times in world.taken.values()), world.taken
    for number, job in enumerate(made):
        now, notified = await stage.now(job), await stage.notified(job)
        assert now.status in SETTLED
        assert now.sequence == len(notified)
        assert notified[-1] == f"job.{now.status}"
        finals = [event for event in notified if event.removeprefix("job.") in FINAL]
        assert len(finals) == (1 if now.final else 0)
        assert len(notified) == len(set(notified))
        if now.status in ("succeeded", "lost"):
            assert world.taken[f"job-{number}"] == 1


@given(plans)
@example(
    Plan(3, ["takes and is cut", "takes and errs", "takes as we die"], [], [], [(0, True), (1, False), (0, False)])
)
@example(Plan(2, ["throttles", "is not there", "takes slowly"], ["RUNNING", "SUCCEEDED"], [404, 500], [(1, True)]))
@example(Plan(2, ["takes"], ["UNKNOWN", "is cut", "FAILED", "SUCCEEDED"], [503], [(0, True), (0, False)]))
@settings(max_examples=15, deadline=None)
def test_no_job_is_paid_twice_and_each_ends_once(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(run, plan, folder)
