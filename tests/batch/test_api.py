"""`POST /v1/jobs/batch`: many requests, recorded all or none."""

from pathlib import Path
from typing import Any

import pytest
from builders import count

from ledger.schema import jobs
from tests.api.stage import ORDER, Stage, problem, served, settings

pytestmark = pytest.mark.anyio

BATCH = "/v1/jobs/batch"


async def post(stage: Stage, *requests: Any) -> Any:
    return await stage.client.post(BATCH, json={"jobs": list(requests)})


async def test_jobs_are_recorded_and_answered_in_order(both: Stage) -> None:
    asked = [ORDER | {"parameters": {"seed": number}, "metadata": {"number": number}} for number in range(20)]
    answer = await post(both, *asked)
    assert answer.status_code == 202
    made = answer.json()["data"]
    assert [{name: job[name] for name in asked[0]} for job in made] == asked
    assert {job["status"] for job in made} == {"queued"}
    assert await both.ids("/v1/jobs") == [job["id"] for job in reversed(made)]
    assert await both.get(f"/v1/jobs/{made[3]['id']}") == made[3]


async def test_a_thousand_are_taken_and_one_more_is_not(stage: Stage) -> None:
    assert len((await post(stage, *[ORDER] * 1_000)).json()["data"]) == 1_000
    document = problem(await post(stage, *[ORDER] * 1_001), 422, "invalid")
    assert document["errors"][0]["pointer"] == "/jobs"
    assert await count(stage.ledger, jobs) == 1_000


async def test_each_bad_request_is_named_by_its_place_and_nothing_is_recorded(stage: Stage) -> None:
    bad = [
        (ORDER | {"input": {}}, "/input/prompt"),
        (ORDER | {"model": "flux-next"}, "/model"),
        (ORDER | {"provider": "replicate"}, "/provider"),
        (ORDER | {"parameters": {"seed": "42"}}, "/parameters/seed"),
    ]
    document = problem(await post(stage, ORDER, *(body for body, _ in bad)), 422, "invalid")
    pointers = [error["pointer"] for error in document["errors"]]
    assert pointers == [f"/jobs/{place}{pointer}" for place, (_, pointer) in enumerate(bad, start=1)]
    assert document["detail"] == "/jobs/1/input/prompt: is required"
    assert await count(stage.ledger, jobs) == 0


async def test_each_misshapen_request_is_named_by_its_place(stage: Stage) -> None:
    document = problem(await post(stage, ORDER, {"model": 7, "input": {}}, 8, ORDER | {"size": 1}), 422, "invalid")
    assert [error["pointer"] for error in document["errors"]] == ["/jobs/1/model", "/jobs/2", "/jobs/3/size"]
    for body in ({}, {"jobs": []}, {"jobs": ORDER}, {"jobs": [ORDER], "more": 1}):
        problem(await stage.client.post(BATCH, json=body), 422, "invalid")
    for key in ("", "k" * 256, "ключ", "a\n", 7):
        document = problem(await post(stage, ORDER | {"idempotency_key": key}), 422, "invalid")
        assert document["errors"][0]["pointer"] == "/jobs/0/idempotency_key", key
    assert await count(stage.ledger, jobs) == 0


async def test_the_body_limit_is_that_of_every_call(tmp_path: Path, sqlite_url: str) -> None:
    async with served(settings(tmp_path, sqlite_url, max_body="2KiB")) as stage:
        problem(await post(stage, *[ORDER] * 30), 413, "too-large")
        assert (await post(stage, *[ORDER] * 3)).status_code == 202


async def test_each_request_has_its_own_idempotency_key(both: Stage) -> None:
    first, other = ORDER | {"idempotency_key": "k-1"}, ORDER | {"parameters": {"seed": 1}, "idempotency_key": "k-2"}
    made = (await post(both, first, other, first)).json()["data"]
    assert made[0] == made[2] != made[1]
    again = (await post(both, ORDER, other, first)).json()["data"]
    assert again[1:] == [made[1], made[0]]
    assert await both.submit({"idempotency-key": "k-1"}) == made[0], "alone it is the same request"
    assert await count(both.ledger, jobs) == 3


async def test_a_key_of_another_request_refuses_the_whole_batch(both: Stage) -> None:
    await both.submit({"idempotency-key": "k-1"})
    changed = ORDER | {"parameters": {"seed": 1}}
    answer = await post(both, ORDER, changed | {"idempotency_key": "k-1"}, *(
        one | {"idempotency_key": "k-2"} for one in (ORDER, changed)
    ))  # fmt: skip
    document = problem(answer, 422, "idempotency-key-reused")
    pointers = [error["pointer"] for error in document["errors"]]
    assert pointers == ["/jobs/1/idempotency_key", "/jobs/3/idempotency_key"]
    assert document["detail"].startswith(pointers[0])
    assert await count(both.ledger, jobs) == 1


async def test_warnings_are_told_for_each(stage: Stage) -> None:
    made = (await post(stage, ORDER, ORDER | {"parameters": {"size": "1*1"}})).json()["data"]
    assert [len(job["warnings"]) for job in made] == [0, 1]
