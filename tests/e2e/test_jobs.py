"""Every model of the documents, from the submission to a notification that outsiders can verify."""

from typing import Any

from e2e.scene import Hook, Scene

JOB = {
    "id", "provider", "model", "status", "task_id", "input", "parameters", "metadata", "results", "metrics", "usage",
    "error", "warnings", "created_at", "submitted_at", "finished_at", "resubmit_of",
}  # fmt: skip
TEXT_TO_IMAGE = "/api/v1/services/aigc/text2image/image-synthesis"

DASHSCOPE: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("flux-schnell", {}, {"size": "1024*1024", "seed": 42, "steps": 4}),
    ("flux-dev", {}, {"size": "768*512", "guidance": 3.5, "offload": False, "add_sampling_metadata": True}),
    ("flux-merged", {}, {"size": "576*1024", "seed": 4294967290}),
    ("stable-diffusion-3.5-large", {"negative_prompt": "yellow cat"}, {"size": "512*512", "n": 4, "seed": 42}),
    ("stable-diffusion-3.5-large-turbo", {"negative_prompt": "garfield"}, {"size": "1024*1024", "n": 1, "cfg": 4.5}),
)
ACEDATA: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("flux-dev", {"action": "generate"}, {"size": "1024x1024", "count": 1}),
    ("flux-pro", {"action": "generate"}, {"size": "1024x1024", "count": 2}),
    ("flux-kontext-pro", {"action": "generate"}, {"size": "16:9", "count": 2}),
    ("flux-kontext-max", {"action": "edits", "image_url": "https://cdn.acedata.cloud/ytj2qy.png"}, {}),
)


def test_dashscope(house: Scene, hook: Hook, prompt: str) -> None:
    jobs = []
    for number, (model, fields, parameters) in enumerate(DASHSCOPE):
        order = {"input": fields, "parameters": parameters, "metadata": {"order": number}}
        job = house.api.submit(model, f"{prompt}/{model}", **order)
        assert (job["provider"], job["status"], job["metadata"]) == ("dashscope", "queued", {"order": number})
        jobs.append(job)
    for job, (model, fields, parameters) in zip(jobs, DASHSCOPE, strict=True):
        told = hook.notified(job["id"], "job.succeeded")
        sent = house.dashscope.request_of(f"{prompt}/{model}")
        assert (sent.method, sent.path) == ("POST", TEXT_TO_IMAGE)
        assert sent.headers["x-dashscope-async"] == "enable"
        given = {"prompt": f"{prompt}/{model}", **fields}
        assert sent.json == {"model": model, "input": given, "parameters": parameters}
        assert prompt.encode() in sent.body, "the prompt travels as UTF-8, not escaped"
        images = parameters.get("n", 1)
        _ends_well(house, hook, job, told, images)
        assert told["metrics"] == {"total": images, "succeeded": images, "failed": 0}
        assert told["usage"] == {"image_count": images}


def test_acedata(house: Scene, hook: Hook, prompt: str) -> None:
    jobs = [
        house.api.submit(model, f"{prompt}/{model}", provider="acedata", input=fields, parameters=parameters)
        for model, fields, parameters in ACEDATA
    ]
    for job, (model, fields, parameters) in zip(jobs, ACEDATA, strict=True):
        told = hook.notified(job["id"], "job.succeeded")
        order = dict(house.acedata.request_of(f"{prompt}/{model}").json)
        assert order.pop("callback_url").startswith(f"{house.server.url}/callbacks/")
        given = {"model": model, "prompt": f"{prompt}/{model}", **fields, **parameters}
        assert order == given | {"action": "edit" if fields["action"] == "edits" else "generate"}
        _ends_well(house, hook, job, told, parameters.get("count", 1))


def _ends_well(house: Scene, hook: Hook, job: dict[str, Any], told: dict[str, Any], images: int) -> None:
    now = house.api.job(job["id"])
    assert set(job) == set(now) == JOB
    assert told == now | {"sequence": told["sequence"]}
    assert [result["error"] for result in now["results"]] == [None] * images
    assert all(set(result) == {"url", "error", "artifact"} for result in now["results"])
    assert now["task_id"] in now["results"][0]["url"]
    assert (now["error"], now["warnings"]) == (None, [])
    assert job["created_at"] <= now["submitted_at"] <= now["finished_at"]
    submitted = hook.notified(job["id"], "job.submitted")
    assert (submitted["status"], submitted["task_id"]) == ("pending", now["task_id"])
    sequences = [one["data"]["sequence"] for one in hook.verified(job["id"])]
    ids = {request.headers["webhook-id"] for request in hook.requests(job["id"])}
    assert sorted(sequences) == list(range(1, len(ids) + 1)), "every notification came once"
    kept = house.api.all("/notifications", job_id=job["id"])
    assert {one["id"] for one in kept} == ids
    assert next(one["data"] for one in kept if one["type"] == "job.succeeded") == told
