"""What AceData says of a task: pure functions of the task and the time.

Source: the examples of the Flux Images Generation and Flux Tasks documents. AceData has no status word and no way
to say that one of several images failed: it is missing from `data`.
"""

from typing import Any

from postback.simulator.task import State, Task

USUAL_FAULT = "api_error"

STATUSES = {
    "bad_request": 400,
    "no_token": 400,
    "token_mismatched": 400,
    "api_not_implemented": 400,
    "invalid_token": 401,
    "token_expired": 401,
    "disabled": 403,
    "used_up": 403,
    "forbidden": 403,
    "no_api": 404,
    "too_many_requests": 429,
    "api_error": 500,
    "timeout": 504,
}
"""The HTTP status of each error code."""


def error(code: str, message: str, trace_id: str) -> dict[str, Any]:
    """An error as AceData writes it."""
    return {"success": False, "error": {"code": code, "message": message}, "trace_id": trace_id}


def result(task: Task) -> dict[str, Any]:
    """The outcome of a finished task: the body of its callback, and of the answer to a blocking call."""
    if task.fault is not None:
        return {"task_id": task.id, **error(task.fault, f"The simulator was asked for {task.fault}.", trace(task))}
    data = [_item(task, number, url) for number, url in enumerate(task.images) if url]
    return {"success": True, "task_id": task.id, "trace_id": trace(task), "data": data}


def opposite(task: Task) -> dict[str, Any]:
    """The outcome that the task did not have."""
    if task.fault is None:
        return {"task_id": task.id, **error(USUAL_FAULT, "fetch failed", trace(task))}
    item = _item(task, 0, task.images[0] if task.images else None)
    return {"success": True, "task_id": task.id, "trace_id": trace(task), "data": [item]}


def record(task: Task, now: float) -> dict[str, Any]:
    """What a retrieval says. Until the task has finished there is no `response` and no `finished_at`."""
    state = task.state(now)
    known: dict[str, Any] = {"id": task.id, "request": dict(task.request), "created_at": task.submitted_at}
    if state is State.PENDING:
        return known
    known["started_at"] = task.started_at
    if state is State.RUNNING:
        return known
    elapsed = task.finished_at - task.started_at
    return known | {"finished_at": task.finished_at, "elapsed": elapsed, "response": result(task)}


def trace(task: Task) -> str:
    """A trace_id that belongs to a task."""
    return "-".join(reversed(task.id.split("-")))


def _item(task: Task, number: int, url: str | None) -> dict[str, Any]:
    timings = {"inference": round(task.finished_at - task.started_at, 3)}
    return {"prompt": task.prompt, "image_url": url, "seed": task.seed + number, "timings": timings}
