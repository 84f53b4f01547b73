"""What a signed event does, and what it does not."""

from collections.abc import Callable

import pytest
from builders import NOW, calls_back, done, pending, succeeded

from ledger.timeline import timeline
from postback.settings import Settings

from . import signer
from .stage import PATH, Stage, problem, served

pytestmark = pytest.mark.anyio


async def test_an_event_makes_its_job_due(stage: Stage) -> None:
    job, other = await pending(stage.ledger), await pending(stage.ledger, task_id="task-2")
    answer = await stage.push()
    assert (answer.status_code, answer.json()) == (200, {"woken": 1})
    woken = await stage.now(job)
    assert (woken.due_at, woken.woken, woken.status) == (stage.clock(), True, "pending")
    assert await stage.now(other) == other
    told = [line["summary"] for line in await stage.ledger.read(timeline, job.id) if line["type"] == "pushed"]
    assert told == ["pushed: the provider says it has finished"]


async def test_the_poller_is_woken_at_once_if_there_is_a_reason(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(stage.house, "wake", woken.append)
    await stage.push()
    assert woken == []
    await pending(stage.ledger)
    await stage.push()
    assert woken == ["poller"]


async def test_a_result_in_an_event_is_not_taken(stage: Stage) -> None:
    job = await pending(stage.ledger)
    data = {"task_id": "task-1", "contain_result": True, "output_result": {"output": {"results": [{"url": "x"}]}}}
    assert (await stage.push(signer.event(data=data))).json() == {"woken": 1}
    assert ((await stage.now(job)).status, (await stage.now(job)).results) == ("pending", None)


async def test_an_unknown_task_is_acknowledged(stage: Stage) -> None:
    job = await pending(stage.ledger)
    for task_id in ("task-of-somebody-else", "", "\u0000", "灯塔"):
        answer = await stage.push(signer.event(task_id))
        assert (answer.status_code, answer.json()) == (200, {"woken": 0})
    assert await stage.now(job) == job


async def test_another_providers_job_is_left_alone(stage: Stage) -> None:
    job = await pending(stage.ledger, provider="acedata")
    assert (await stage.push()).json() == {"woken": 0}
    assert await stage.now(job) == job


async def test_a_duplicate_does_nothing(stage: Stage) -> None:
    job = await pending(stage.ledger)
    assert (await stage.push()).json() == {"woken": 1}
    once = await stage.now(job)
    stage.clock.advance(5_000)
    assert (await stage.push()).json() == {"woken": 0}
    assert await stage.now(job) == once
    assert await calls_back(stage.ledger, job, succeeded()) == ["accepted"]
    finished = await stage.now(job)
    assert (await stage.push()).json() == {"woken": 0}
    assert await stage.now(job) == finished


async def test_a_finished_job_stays_so(stage: Stage) -> None:
    job = await done(stage.ledger)
    assert (await stage.push()).json() == {"woken": 0}
    assert await stage.now(job) == job


@pytest.mark.parametrize("changes", [{"type": "dashscope:System:Other"}, {"source": "acs.oss"}], ids=["type", "source"])
async def test_other_events_are_acknowledged(stage: Stage, changes: dict[str, str]) -> None:
    job = await pending(stage.ledger)
    answer = await stage.push(signer.event(**changes))
    assert (answer.status_code, answer.json()) == (200, {"woken": 0})
    assert await stage.now(job) == job


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        (b"", "bad-json", "The text is not JSON"),
        (b"{", "bad-json", "The text is not JSON"),
        (b"\xff", "bad-json", "The text is not UTF-8"),
        (b"[]", "bad-json", "The JSON is not an object"),
        (b'{"type": NaN}', "bad-json", "The JSON holds NaN"),
        (signer.event()[:-1] + b', "type": "x"}', "bad-json", "The JSON has an object with the same key twice"),
        (b"[" * 200 + b"]" * 200, "bad-json", "The JSON is nested deeper"),
        (b"{}", "bad-request", "The event holds no task_id"),
        (b'{"task_id": "task-1"}', "bad-request", "The event holds no task_id"),
        (signer.event(data=None), "bad-request", "The event holds no task_id"),
        (signer.event(data={"task_id": 7}), "bad-request", "The event holds no task_id"),
        (signer.event(type=None), "bad-request", "The event holds no task_id"),
        (signer.event(source=["acs.dashscope"]), "bad-request", "The event holds no task_id"),
    ],
)
async def test_what_is_signed_but_no_event(stage: Stage, body: bytes, kind: str, detail: str) -> None:
    answer = await stage.push(body)
    assert answer.status_code == 400
    found, said = problem(answer)
    assert found == kind
    assert said.startswith(detail)


async def test_a_body_has_a_limit(settings: Callable[..., Settings]) -> None:
    async with served(settings(max_body="1KiB")) as stage:
        job = await pending(stage.ledger)
        assert (await stage.push(signer.event(padding="x" * 1024))).status_code == 413
        assert await stage.now(job) == job
        assert (await stage.push()).json() == {"woken": 1}
        assert stage.library.asked == [signer.CERTIFICATE_URL], "the large one was refused before"


async def test_only_posts(stage: Stage) -> None:
    assert (await stage.client.get(PATH)).status_code == 405


@pytest.mark.parametrize(("token", "role"), [(None, "receiver"), (signer.TOKEN, "api"), (signer.TOKEN, "dispatcher")])
async def test_off_where_it_is_not_configured(settings: Callable[..., Settings], token: str | None, role: str) -> None:
    async with served(settings(eventbridge_token=token), frozenset({role})) as stage:
        answer = await stage.push(at=NOW)
        assert answer.status_code == 404
        assert problem(answer)[0] == "not-found"
