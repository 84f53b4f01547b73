"""`Idempotency-Key`: a request that is sent again makes no second job."""

import asyncio

import pytest
from builders import count

from ledger.schema import jobs

from .stage import ORDER, Stage, problem

pytestmark = pytest.mark.anyio

KEY = {"idempotency-key": "order-7"}


async def test_the_same_request_again_is_the_same_job(stage: Stage) -> None:
    first = await stage.client.post("/v1/jobs", json=ORDER | {"metadata": {"a": 1, "b": 2}}, headers=KEY)
    again = await stage.client.post("/v1/jobs", json={"metadata": {"b": 2, "a": 1}} | ORDER, headers=KEY)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert await count(stage.ledger, jobs) == 1


async def test_the_same_key_for_another_request_is_422(stage: Stage) -> None:
    job = await stage.submit(KEY)
    others = [
        {"model": "flux-dev"},
        {"input": {"prompt": "another"}},
        {"parameters": {"seed": 1}},
        {"metadata": {"a": None}},
        {"provider": "dashscope"},
    ]
    for changes in others:
        answer = await stage.client.post("/v1/jobs", json=ORDER | changes, headers=KEY)
        problem(answer, 422, "idempotency-key-reused")
    assert await stage.ids("/v1/jobs") == [job["id"]]


async def test_a_refused_request_does_not_use_its_key_up(stage: Stage) -> None:
    problem(await stage.client.post("/v1/jobs", json=ORDER | {"model": "flux-next"}, headers=KEY), 422, "invalid")
    await stage.submit(KEY)


async def test_other_keys_and_no_key_make_other_jobs(stage: Stage) -> None:
    made = [await stage.submit(headers) for headers in (KEY, {"idempotency-key": "order-8"}, {}, {})]
    assert len({job["id"] for job in made}) == 4


async def test_50_at_once_make_one_job(both: Stage) -> None:
    answers = await asyncio.gather(*(both.submit(KEY) for _ in range(50)))
    assert len({answer["id"] for answer in answers}) == 1
    assert await count(both.ledger, jobs) == 1


async def test_50_at_once_with_two_bodies_make_one_job(both: Stage) -> None:
    bodies = [ORDER | {"parameters": {"seed": number % 2}} for number in range(50)]
    answers = await asyncio.gather(*(both.client.post("/v1/jobs", json=body, headers=KEY) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [202] * 25 + [422] * 25
    assert await count(both.ledger, jobs) == 1


async def test_a_key_lives_as_long_as_its_job(both: Stage) -> None:
    job = await both.submit(KEY)
    assert (await both.client.post(f"/v1/jobs/{job['id']}/cancel")).status_code == 200
    assert (await both.submit(KEY))["id"] == job["id"]
    assert (await both.client.delete(f"/v1/jobs/{job['id']}")).status_code == 204
    assert (await both.submit(KEY))["id"] != job["id"]


async def test_a_key_that_is_no_key_is_400(stage: Stage) -> None:
    for key in ("", "x" * 256, "ключ", "tab\tinside", "nul\x00"):
        headers = {"idempotency-key": key.encode()}
        problem(await stage.client.post("/v1/jobs", json=ORDER, headers=headers), 400, "bad-request")
    await stage.submit({"idempotency-key": "x" * 255})
