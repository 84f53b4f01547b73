"""What DashScope says of a task: pure functions of the task and the time.

Source: the response examples of the FLUX and Stable Diffusion 3.5 documents.
"""

from datetime import datetime, timedelta, timezone
from typing import Any

from postback.simulator import dashscope_models as models
from postback.simulator.task import State, Task

CHINA = timezone(timedelta(hours=8))

IMAGE_FAULT = "InternalError.Timeout"
USUAL_FAULT = "InternalError.Algo"

_MESSAGES = {
    "InternalError.Timeout": "An internal timeout error has occured during execution, please try again later or "
    "contact service support.",
    "InternalError.Algo": "Internal Algo error.",
    "InvalidParameter": "A required parameter is missing or invalid.",
    "DataInspectionFailed": "Input or output data may contain inappropriate content.",
}


def message(code: str) -> str:
    """The sentence that goes with an error code."""
    return _MESSAGES.get(code, f"The simulator was asked for {code}.")


def fetched(task: Task, now: float) -> dict[str, Any]:
    """The body of an answer to a fetch, without its `request_id`: `{output, usage?}`."""
    state = task.state(now)
    output: dict[str, Any] = {"task_id": task.id, "task_status": _status(task, state)}
    if state is State.UNKNOWN:
        return {"output": output}
    output["submit_time"] = _time(task.submitted_at)
    if state is State.PENDING:
        return {"output": output}
    output["scheduled_time"] = _time(task.started_at)
    if state is State.CANCELED:
        return {"output": output | {"end_time": _time(task.ended_at)}}
    if state is State.RUNNING:
        return {"output": output | {"task_metrics": _metrics(task, state)}}
    output["end_time"] = _time(task.ended_at)
    if state is State.FAILED:
        assert task.fault is not None
        output |= {"code": task.fault, "message": message(task.fault), "task_metrics": _metrics(task, state)}
        return {"output": output}
    return {"output": output | _result(task), "usage": _usage(task)}


def listed(task: Task, now: float) -> dict[str, Any]:
    """A row of the task list. It holds no results, as with DashScope."""
    state = task.state(now)
    row: dict[str, Any] = {
        "task_id": task.id,
        "status": _status(task, state),
        "gmt_create": _milliseconds(task.submitted_at),
        "user_api_unique_key": f"apikey:v1:{task.service.replace('/', ':')}:{task.model}",
    }
    if state is not State.PENDING:
        row["start_time"] = _milliseconds(task.started_at)
    if state not in (State.PENDING, State.RUNNING):
        row["end_time"] = _milliseconds(task.ended_at)
    return row


def _status(task: Task, state: State) -> str:
    if task.script.suspend and state is State.PENDING:
        return "SUSPENDED"
    if task.script.successed and state is State.SUCCEEDED:
        return "SUCCESSED"
    return state


def _result(task: Task) -> dict[str, Any]:
    if task.service in models.VIDEO:
        return {"video_url": next((url for url in task.images if url), None)}
    if task.service == models.GENERATION:
        return {"choices": [_choice(url) for url in task.images if url], "finished": True}
    failed = {"code": IMAGE_FAULT, "message": message(IMAGE_FAULT)}
    results = [{"url": url} if url else failed for url in task.images]
    return {"results": results, "task_metrics": _metrics(task, State.SUCCEEDED)}


def _choice(url: str) -> dict[str, Any]:
    content = [{"type": "image", "image": url}]
    return {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}


def _metrics(task: Task, state: State) -> dict[str, int]:
    made = task.made if state is State.SUCCEEDED else 0
    failed = 0 if state is State.RUNNING else task.count - made
    return {"TOTAL": task.count, "SUCCEEDED": made, "FAILED": failed}


def _usage(task: Task) -> dict[str, int]:
    return {"video_count" if task.service in models.VIDEO else "image_count": task.made}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, CHINA).isoformat(" ", "milliseconds").removesuffix("+08:00")


def _milliseconds(at: float) -> int:
    return int(at * 1000)
