"""How fast jobs leave: evenly spaced, for each model or account, and never more in flight than allowed."""

from itertools import pairwise

import httpx2 as httpx
import pytest
from builders import calls_back, succeeded

from ledger.clock import SECOND
from ledger.pace import Limit

from .stage import Stage
from .wire import Step, says

pytestmark = pytest.mark.anyio


def numbered(provider: str) -> Step:
    """Takes every job, each under a task_id of its own."""
    given = iter(range(10_000))

    def step(request: httpx.Request) -> httpx.Response:
        task_id = f"task-{next(given)}"
        if provider == "acedata":
            return httpx.Response(200, json={"success": True, "task_id": task_id})
        return httpx.Response(200, json={"output": {"task_id": task_id, "task_status": "PENDING"}})

    return step


def gaps(times: list[int]) -> set[int]:
    return {after - before for before, after in pairwise(times)}


async def test_submissions_of_a_model_are_evenly_spaced(stage: Stage) -> None:
    stage.dashscope.submits = [numbered("dashscope")]
    for _ in range(9):
        await stage.job()
    limits = {"dashscope": Limit(8)}
    await stage.crew.run(stage.submitter(limits=limits).run_once, until=stage.time.now + 2 * SECOND)
    assert len(stage.dashscope.submitted) == 9
    assert gaps(stage.dashscope.times["submit"]) == {125}


async def test_each_model_has_a_pace_of_its_own(stage: Stage) -> None:
    stage.dashscope.submits = [numbered("dashscope")]
    start, models = stage.time.now, ("flux-schnell", "flux-dev", "stable-diffusion-3.5-large")
    for model in models * 3:
        await stage.job(model=model)
    limits = {"dashscope": Limit(2)}
    await stage.crew.run(stage.submitter(limits=limits).run_once, until=start + 5 * SECOND)
    assert [at - start for at in stage.dashscope.times["submit"]] == [0, 0, 0, 500, 500, 500, 1000, 1000, 1000]


async def test_an_account_has_one_pace_for_all_its_models(stage: Stage) -> None:
    stage.acedata.submits = [numbered("acedata")]
    start = stage.time.now
    for model in ("flux-dev", "flux-pro", "flux-kontext-max"):
        await stage.job(provider="acedata", model=model)
    limits = {"acedata": Limit(5, per_model=False)}
    await stage.crew.run(stage.submitter(limits=limits).run_once, until=start + 5 * SECOND)
    assert [at - start for at in stage.acedata.times["submit"]] == [0, 200, 400]


async def test_two_dispatchers_share_one_pace(stage: Stage) -> None:
    stage.dashscope.submits = [numbered("dashscope")]
    for _ in range(8):
        await stage.job()
    loops = [stage.submitter(limits={"dashscope": Limit(4)}).run_once for _ in range(2)]
    await stage.crew.run(*loops, until=stage.time.now + 5 * SECOND)
    assert len(stage.dashscope.submitted) == 8
    assert gaps(stage.dashscope.times["submit"]) == {250}


async def test_no_more_are_in_flight_than_allowed(stage: Stage) -> None:
    stage.acedata.submits = [numbered("acedata")]
    made = [await stage.job(provider="acedata") for _ in range(5)]
    submitter = stage.submitter(limits={"acedata": Limit(0, in_flight=2, per_model=False)})
    await stage.crew.run(submitter.run_once, until=stage.time.now + 60 * SECOND)
    assert [(await stage.now(job)).status for job in made] == ["pending"] * 2 + ["queued"] * 3
    assert await calls_back(stage.ledger, await stage.now(made[0]), succeeded(task_id="task-0")) == ["accepted"]
    await stage.crew.run(submitter.run_once, until=stage.time.now + 60 * SECOND)
    assert [(await stage.now(job)).status for job in made] == ["succeeded"] + ["pending"] * 2 + ["queued"] * 2


async def test_jobs_leave_in_the_order_they_came(stage: Stage) -> None:
    stage.dashscope.submits = [numbered("dashscope")]
    made = [await stage.job() for _ in range(6)]
    await stage.crew.run(stage.submitter(limits={"dashscope": Limit(2)}).run_once, until=stage.time.now + 5 * SECOND)
    now = [await stage.now(job) for job in made]
    assert [job.submitted_at for job in now] == sorted(job.submitted_at or 0 for job in now)
    assert [job.task_id for job in now] == [f"task-{number}" for number in range(6)]


async def test_a_thousand_queued_jobs_cost_no_polling(stage: Stage) -> None:
    stage.dashscope.submits = [numbered("dashscope")]
    await stage.more(await stage.job(), 999)
    submitter = stage.submitter(limits={"dashscope": Limit(2)})
    passes = await stage.crew.run(submitter.run_once, until=stage.time.now + 10 * SECOND)
    sent = len(stage.dashscope.submitted)
    assert sent == 20
    assert passes <= 2 * sent + 1  # when a slot is free, and when work ends
    assert stage.dashscope.fetched == []


async def test_a_full_house_waits_without_a_pass(stage: Stage) -> None:
    stage.acedata.submits = [numbered("acedata")]
    await stage.more(await stage.job(provider="acedata"), 49)
    submitter = stage.submitter(limits={"acedata": Limit(0, in_flight=10, per_model=False)})
    passes = await stage.crew.run(submitter.run_once, until=stage.time.now + 3_600 * SECOND)
    assert len(stage.acedata.submitted) == 10
    assert passes <= 12


async def test_a_throttled_job_does_not_stop_the_others_for_good(stage: Stage) -> None:
    throttled = says(429, {"code": "Throttling", "message": "slow"}, retry_after="30")
    stage.dashscope.submits = [throttled, numbered("dashscope")]
    made = [await stage.job() for _ in range(3)]
    await stage.crew.run(stage.submitter(limits={"dashscope": Limit(2)}).run_once, until=stage.time.now + 60 * SECOND)
    assert [(await stage.now(job)).status for job in made] == ["pending"] * 3
    assert len(stage.dashscope.submitted) == 4
