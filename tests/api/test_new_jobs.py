"""Submitting: what makes a job, and what is refused field by field with nothing recorded."""

from pathlib import Path
from typing import Any

import pytest
from builders import count

from ledger.schema import jobs
from postback.house import ROLES

from .stage import ORDER, Stage, problem, served, settings

pytestmark = pytest.mark.anyio

JOB = {
    *("id", "provider", "model", "status", "task_id", "input", "parameters", "metadata", "results", "metrics"),
    *("usage", "error", "warnings", "created_at", "submitted_at", "finished_at", "resubmit_of"),
}
PROMPT = {"prompt": "an eagle"}
EDIT = {"model": "flux-dev", "provider": "acedata", "input": PROMPT | {"action": "edit"}}

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no model", {"input": PROMPT}, "/model"),
    ("no input", {"model": "flux-schnell"}, "/input"),
    ("unknown field", ORDER | {"colour": 1}, "/colour"),
    ("unknown field with a slash", ORDER | {"a/b~c": 1}, "/a~1b~0c"),
    ("unknown model", ORDER | {"model": "flux-next"}, "/model"),
    ("unknown provider", ORDER | {"provider": "replicate"}, "/provider"),
    ("model of another type", ORDER | {"model": 7}, "/model"),
    ("model null", ORDER | {"model": None}, "/model"),
    ("model empty", ORDER | {"model": ""}, "/model"),
    ("model too long", ORDER | {"model": "m" * 201, "provider": "acedata"}, "/model"),
    ("model with NUL", ORDER | {"model": "flux\x00", "provider": "acedata"}, "/model"),
    ("model with a line break", ORDER | {"model": "flux\n", "provider": "acedata"}, "/model"),
    ("provider of another type", ORDER | {"provider": ["dashscope"]}, "/provider"),
    ("input of another type", ORDER | {"input": "an eagle"}, "/input"),
    ("input a list", ORDER | {"input": [PROMPT]}, "/input"),
    ("input null", ORDER | {"input": None}, "/input"),
    ("parameters of another type", ORDER | {"parameters": 4}, "/parameters"),
    ("metadata of another type", ORDER | {"metadata": "mine"}, "/metadata"),
    ("no prompt", ORDER | {"input": {}}, "/input/prompt"),
    ("prompt empty", ORDER | {"input": {"prompt": ""}}, "/input/prompt"),
    ("prompt blank", ORDER | {"input": {"prompt": " \n"}}, "/input/prompt"),
    ("prompt null", ORDER | {"input": {"prompt": None}}, "/input/prompt"),
    ("prompt of another type", ORDER | {"input": {"prompt": 7}}, "/input/prompt"),
    ("size of another type", ORDER | {"parameters": {"size": 1024}}, "/parameters/size"),
    ("seed of another type", ORDER | {"parameters": {"seed": "42"}}, "/parameters/seed"),
    ("seed a boolean", ORDER | {"parameters": {"seed": True}}, "/parameters/seed"),
    ("edit without image", EDIT, "/input/image_url"),
]


async def test_a_job_is_accepted_before_anything_is_sent(both: Stage) -> None:
    metadata = {"customer": 7, "n\x00l": "\x00", "深": [None, 1.5, 2**70]}
    asked = ORDER | {"parameters": {"size": "1024*1024", "seed": 42, "mine": None}, "metadata": metadata}
    answer = await both.client.post("/v1/jobs", json=asked)
    assert answer.status_code == 202
    job = answer.json()
    assert set(job) == JOB
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert {name: job[name] for name in asked} == asked
    assert (job["provider"], job["status"], job["warnings"]) == ("dashscope", "queued", [])
    assert job["created_at"].endswith("Z")
    unknown = {"task_id", "results", "metrics", "usage", "error", "submitted_at", "finished_at", "resubmit_of"}
    assert all(job[name] is None for name in unknown)
    assert await both.get(answer.headers["location"]) == job
    assert (await both.get("/v1/jobs")) == {"data": [job], "next_cursor": None}


async def test_the_provider_follows_from_the_model_unless_it_is_named(stage: Stage) -> None:
    chosen = {
        ("flux-schnell", None): "dashscope",
        ("flux-dev", None): "dashscope",
        ("stable-diffusion-3.5-large", None): "dashscope",
        ("flux-kontext-pro", None): "acedata",
        ("flux-dev", "acedata"): "acedata",
        ("unheard-of", "acedata"): "acedata",
        ("unheard-of", "dashscope"): "dashscope",
    }
    for (model, provider), right in chosen.items():
        job = await stage.submit(model=model, **({"provider": provider} if provider else {}))
        assert job["provider"] == right, model
        assert bool(job["warnings"]) == (model == "unheard-of"), model


async def test_a_bad_field_is_named_by_its_pointer_and_nothing_is_recorded(stage: Stage) -> None:
    for name, body, pointer in BAD:
        document = problem(await stage.client.post("/v1/jobs", json=body), 422, "invalid")
        assert [set(error) for error in document["errors"]] == [{"pointer", "detail"}], name
        assert document["errors"][0]["pointer"] == pointer, name
        assert all(error["detail"] for error in document["errors"]), name
    assert await count(stage.ledger, jobs) == 0


async def test_every_bad_field_is_told_at_once(stage: Stage) -> None:
    body = {"model": 1, "input": [], "metadata": 2, "nonsense": 3}
    document = problem(await stage.client.post("/v1/jobs", json=body), 422, "invalid")
    assert {error["pointer"] for error in document["errors"]} == {"/model", "/input", "/metadata", "/nonsense"}


async def test_a_model_that_nobody_knows_needs_a_provider_and_is_told_how(stage: Stage) -> None:
    document = problem(await stage.client.post("/v1/jobs", json=ORDER | {"model": "flux-next"}), 422, "invalid")
    assert "dashscope or acedata" in document["detail"]


async def test_a_missing_provider_key_is_told_with_the_variable_to_set(tmp_path: Path, sqlite_url: str) -> None:
    given = settings(tmp_path, sqlite_url, acedata_api_token="a-token", acedata_base_url="http://127.0.0.1:9")
    async with served(given, ROLES - {"forwarder"}) as stage:
        document = problem(await stage.client.post("/v1/jobs", json=ORDER | {"model": "flux-dev"}), 422, "invalid")
        assert document["errors"][0]["pointer"] == "/provider"
        assert "DASHSCOPE_API_KEY" in document["detail"]
        assert '"provider": "acedata"' in document["detail"]
        missing = problem(await stage.client.post("/v1/jobs", json=ORDER), 422, "invalid")
        assert '"provider"' not in missing["detail"]
        assert await count(stage.ledger, jobs) == 0
