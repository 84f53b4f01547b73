"""What `/metrics` says of what happened."""

from pathlib import Path
from types import SimpleNamespace

import httpx2 as httpx
import pytest
from builders import FakeClock, owe, pending, queued, subscribed, unconfirmed
from e2e.eventually import eventually
from e2e.scene import Scene
from e2e.wire import Reply

from ledger import pace
from ledger.clock import MINUTE, SECOND
from ledger.deliveries import Attempt
from ledger.errors import Unavailable
from ledger.settling import Settlement
from postback.house import ROLES
from postback.metrics import Metrics
from postback.shedding import BURST, Shedding
from postback.watch import FRESH, Beat
from tests.api.stage import API_KEY, Stage, finished, served, settings

from .reading import Reading
from .waiting import until

pytestmark = pytest.mark.anyio

RATES = {("dashscope", "submit"): 2.0, ("dashscope", "query"): 20.0}


async def read(stage: Stage) -> Reading:
    return Reading(await stage.client.get("/metrics"))


def counted(metrics: Metrics) -> Reading:
    return Reading(httpx.Response(200, content=metrics.text(None), headers={"content-type": "text/plain; version=1"}))


async def test_it_takes_a_key(stage: Stage) -> None:
    assert (await stage.anyone.get("/metrics")).status_code == 401


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_every_role_answers(migrated: None, tmp_path: Path, sqlite_url: str, role: str) -> None:
    async with served(settings(tmp_path, sqlite_url), frozenset({role})) as stage:
        assert (await read(stage))("postback_database_up") == 1


async def test_callbacks_by_verdict_and_what_brought_results(stage: Stage) -> None:
    jobs = [await stage.submit() for _ in range(4)]
    for job, found_by in zip(jobs, (None, "poll", "answer", "somebody's own word"), strict=True):
        headers = {} if found_by is None else {"postback-found-by": found_by}
        assert (await stage.calls_back(job["id"], finished(), **headers)).status_code == 200
    await stage.calls_back(jobs[0]["id"], finished())
    await stage.calls_back(jobs[0]["id"], b"no JSON")
    await stage.anyone.post("/callbacks/forged", json={})
    said = await read(stage)
    verdicts = {"accepted": 4, "duplicate": 1, "invalid": 1, "refused": 1, "progress": 0, "conflicting": 0}
    assert {verdict: said("postback_callbacks_total", verdict=verdict) for verdict in verdicts} == verdicts
    finders = ("callback", "poll", "answer")
    assert [said("postback_jobs_resolved_total", found_by=one) for one in finders] == [2, 1, 1]
    assert said("postback_callback_seconds_count") == 6


async def test_how_long_a_job_took(stage: Stage) -> None:
    job = await stage.submit()
    stage.clock.advance(45 * SECOND)
    await stage.calls_back(job["id"], finished())
    said = await read(stage)
    assert said("postback_job_seconds_sum") == 45
    assert said("postback_job_seconds_bucket", le="30.0") == 0
    assert said("postback_job_seconds_bucket", le="60.0") == 1


def parcel(**changes: object) -> SimpleNamespace:
    made = {"attempt_count": 0, "attempts_before": 0, "trigger": "schedule"}
    return SimpleNamespace(**made | {"notification_id": "ntf_01hf7yat00etdb706xesacmhr1"} | changes)


def ended(error_class: str | None = None) -> Settlement:
    attempt = Attempt(0, 250, status_code=None if error_class else 200, error_class=error_class)
    return Settlement("dlv_1", 1, attempt, "pending" if error_class else "delivered")


def test_attempts_by_result_and_how_the_first_went(clock: FakeClock) -> None:
    metrics = Metrics(clock, RATES)
    clock.advance(90 * SECOND)
    metrics.attempt(parcel(), ended())
    metrics.attempt(parcel(), ended("dns"))
    metrics.attempt(parcel(attempt_count=1), ended("status"))
    metrics.attempt(parcel(attempt_count=2), ended())
    by_hand = [{"trigger": "manual"}, {"trigger": "recover"}, {"attempts_before": 10, "attempt_count": 11}]
    for one in by_hand:
        metrics.attempt(parcel(**one), ended())
    said = counted(metrics)
    results = {"delivered": 5, "dns": 1, "status": 1, "timeout": 0}
    assert {one: said("postback_attempts_total", result=one) for one in results} == results
    assert said("postback_first_attempts_total", result="delivered") == 3
    assert said("postback_first_attempts_total", result="failed") == 1
    assert said("postback_attempt_seconds_sum") == 7 * 0.25
    assert said("postback_delivery_seconds_count") == 2, "what a person sends again is as late as the person"
    assert said("postback_delivery_seconds_sum") == 2 * 90


async def test_what_waits_and_how_late_it_is(both: Stage) -> None:
    ledger, clock = both.ledger, both.clock
    row = await subscribed(ledger, url="https://a.example/hook")
    await unconfirmed(ledger)
    await pending(ledger)
    await owe(ledger, row.id, 2)
    for model in ("m", "m", "n"):
        await ledger.write(pace.throttled, f"submit:dashscope:{model}", None)
    clock.advance(2 * MINUTE)
    for _ in range(3):
        await queued(ledger)
    clock.advance(MINUTE)
    said = await read(both)
    states = {"queued": 3, "submitting": 0, "pending": 1, "running": 0, "unconfirmed": 1}
    assert {state: said("postback_jobs", state=state) for state in states} == states
    assert said("postback_deliveries", state="pending") >= 2
    assert said("postback_oldest_due_seconds", work="jobs") == 60
    assert said("postback_oldest_due_seconds", work="deliveries") == 180
    assert said("postback_oldest_due_seconds", work="artifacts") == 0
    assert said("postback_pace_slowdown", provider="dashscope", call="submit") == 4, "the slowest of its models"
    assert said("postback_pace_per_second", provider="dashscope", call="submit") == 0.5
    assert said("postback_pace_slowdown", provider="acedata", call="query") == 1


async def test_it_counts_again_only_after_a_while(stage: Stage) -> None:
    assert (await read(stage))("postback_jobs", state="queued") == 0
    await stage.submit()
    assert (await read(stage))("postback_jobs", state="queued") == 0
    stage.clock.advance(FRESH)
    assert (await read(stage))("postback_jobs", state="queued") == 1


async def test_counters_are_had_without_a_database(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(work: object) -> None:
        raise Unavailable("gone")

    await stage.submit()
    monkeypatch.setattr(stage.ledger.database, "read", away)
    said = await read(stage)
    assert said("postback_database_up") == 0
    assert said("postback_commit_seconds_count") >= 1
    assert "postback_jobs" not in said.names
    monkeypatch.undo()
    assert (await read(stage))("postback_jobs", state="queued") == 1


async def test_commits_and_batches(both: Stage) -> None:
    before = await read(both)
    job = await both.submit()
    await both.calls_back(job["id"], finished())
    after = await read(both)
    grown = {
        name: after(f"postback_{name}") - before(f"postback_{name}")
        for name in ("commit_seconds_count", "commit_writes_sum", "batch_items_sum", "batch_items_count")
    }
    assert grown == {"commit_seconds_count": 2, "commit_writes_sum": 2, "batch_items_sum": 2, "batch_items_count": 2}


def test_requests_that_are_shed(clock: FakeClock) -> None:
    metrics = Metrics(clock, RATES)
    shedding = Shedding({b"/callbacks/": lambda: 2 * BURST}, on_refused=metrics.shed)
    for path in (b"/callbacks/a", b"/v1/jobs", b"/callbacks/b"):
        shedding.take(b"POST", path, [])
    assert counted(metrics)("postback_shed_requests_total") == 2


async def test_how_late_the_loop_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postback.watch.BEAT_SECONDS", 0.001)
    late: list[float] = []
    beat = Beat(late.append)
    await until(lambda: len(late) >= 3)
    beat.end()
    assert all(seconds >= 0 for seconds in late)


def test_a_running_house(watched: Scene) -> None:
    """Both providers, a subscriber that fails once, and a provider that throttles."""
    hook = watched.subscribe(events=["job.succeeded"])
    watched.listener.replies[hook.path] = [Reply(500)]
    throttled = Reply(429, b'{"code": "Throttling.RateQuota", "message": "slow down"}')
    watched.dashscope.script.write("metrics, polled", submit=[throttled])
    jobs = [watched.api.submit("flux-schnell", "metrics, polled")]
    jobs += [watched.api.submit("flux-dev", "metrics, called back", provider="acedata")]
    for job in jobs:
        hook.notified(job["id"], "job.succeeded")

    def look() -> bool:
        said = Reading(watched.api.http.get("/metrics"))
        assert said("postback_jobs_resolved_total", found_by="poll") >= 1
        assert said("postback_jobs_resolved_total", found_by="callback") >= 1
        calls = {"provider": "dashscope", "call": "submit"}
        assert said("postback_provider_calls_total", **calls, result="throttle") == 1
        assert said("postback_provider_calls_total", **calls, result="ok") >= 1
        assert said("postback_provider_calls_total", provider="dashscope", call="query", result="ok") >= 1
        assert said("postback_provider_call_seconds_count", **calls) >= 2
        assert said("postback_attempts_total", result="status") == 1
        assert said("postback_attempts_total", result="delivered") >= 2
        assert said("postback_first_attempts_total", result="failed") == 1
        assert said("postback_delivery_seconds_count") >= 2
        assert said("postback_open_connections") >= 1
        assert said("process_resident_memory_bytes") > 0
        return True

    eventually(look)
    text = watched.api.http.get("/metrics").text
    named = [job["id"] for job in jobs] + [hook.id, "flux", "127.0.0.1", API_KEY]
    assert [one for one in named if one in text] == []
