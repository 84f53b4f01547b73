"""A stand-in for DashScope, written from its public documents alone."""

import json
import time
import uuid
from typing import Any

from e2e.script import Script
from e2e.wire import Reply, Request, Stage, Wire, reply

KEY = "sk-dashscope-canary-3f9c1b"


class DashScope:
    """Takes jobs and answers queries. `submitted` are all submissions as they came."""

    def __init__(self, stage: Stage, latency: float = 0) -> None:
        self.script = Script()
        self.submitted: list[Request] = []
        self.latency = latency
        self._tasks: dict[str, tuple[str, dict[str, Any]]] = {}
        self._created: dict[str, int] = {}
        self.wire = Wire(stage, self._answer)

    @property
    def url(self) -> str:
        return f"{self.wire.url}/api/v1"

    def request_of(self, prompt: str) -> Request:
        """The one submission with that prompt."""
        (found,) = [request for request in self.submitted if _prompt(request.json) == prompt]
        return found

    async def _answer(self, request: Request) -> Reply | None:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return refused(401, "InvalidApiKey", "Invalid API-key provided.")
        if request.method == "POST" and request.path.startswith("/api/v1/services/"):
            return self._submit(request)
        if request.path.rstrip("/") == "/api/v1/tasks":
            return self._list(request)
        task_id = request.path.removeprefix("/api/v1/tasks/").removesuffix("/cancel")
        if request.method == "POST" and request.path.endswith("/cancel"):
            return reply({"request_id": str(uuid.uuid4())})
        if task_id not in self._tasks:
            return task(task_id, "UNKNOWN")
        prompt, order = self._tasks[task_id]
        return self.script.asked(prompt, succeeded(task_id, order))

    def _submit(self, request: Request) -> Reply | None:
        order = request.json
        prompt = _prompt(order)
        self.submitted.append(request)
        usual = task(str(uuid.uuid4()), "PENDING")
        answer = self.script.submitted(prompt, Reply(usual.status, usual.body, usual.headers, self.latency))
        if answer is not None and answer.status == 200:
            task_id = str((json.loads(answer.body).get("output") or {}).get("task_id"))
            self._tasks[task_id] = (prompt, order)
            self._created[task_id] = int(time.time() * 1_000)
        return answer

    def _list(self, request: Request) -> Reply:
        rows = [self._row(task_id, *told) for task_id, told in reversed(self._tasks.items())]
        for name in ("model_name", "status"):
            if name in request.query:
                rows = [row for row in rows if row[name] == request.query[name]]
        number, size = int(request.query.get("page_no", 1)), int(request.query.get("page_size", 10))
        shown = rows[(number - 1) * size : number * size]
        pages = {"total": len(rows), "total_page": -(-len(rows) // size), "page_no": number, "page_size": size}
        return reply({"request_id": str(uuid.uuid4()), "data": shown, **pages})

    def _row(self, task_id: str, prompt: str, order: dict[str, Any]) -> dict[str, Any]:
        upcoming = self.script.next_answer(prompt, succeeded(task_id, order))
        output = json.loads(upcoming.body).get("output") or {} if upcoming and upcoming.status == 200 else {}
        return {
            "task_id": task_id,
            "status": output.get("task_status", "RUNNING"),
            "model_name": order["model"],
            "gmt_create": self._created[task_id],
            "start_time": self._created[task_id],
            "user_api_unique_key": f"apikey:v1:aigc:text2image:image-synthesis:{order['model']}",
        }


def task(task_id: str, status: str, **output: Any) -> Reply:
    """A task object."""
    return reply({"request_id": str(uuid.uuid4()), "output": {"task_id": task_id, "task_status": status, **output}})


def refused(status: int, code: str, message: str) -> Reply:
    """An error."""
    return reply({"code": code, "message": message, "request_id": str(uuid.uuid4())}, status)


def succeeded(task_id: str, order: dict[str, Any]) -> Reply:
    """A task object with as many images as were asked for."""
    count = (order.get("parameters") or {}).get("n", 1)
    urls = [{"url": f"https://results.example/{task_id}/{number}.png?Expires=1"} for number in range(count)]
    document = {
        "request_id": str(uuid.uuid4()),
        "output": {
            "task_id": task_id,
            "task_status": "SUCCEEDED",
            "results": urls,
            "task_metrics": {"TOTAL": count, "SUCCEEDED": count, "FAILED": 0},
        },
        "usage": {"image_count": count},
    }
    return reply(document)


def _prompt(order: dict[str, Any]) -> str:
    given = order["input"]
    return str(given["prompt"] if "prompt" in given else given["messages"][0]["content"][0]["text"])
