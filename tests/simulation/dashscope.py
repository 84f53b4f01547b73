"""DashScope, simulated: asked by polling, with a list of the account's tasks that may lag behind."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

from .provider import Provider, Task

CHINA = timedelta(hours=8)
KEY = "apikey:v1:aigc:text2image:image-synthesis:"


class DashScope(Provider):
    """`lag` is how many milliseconds a new task is not in the list yet."""

    name = "dashscope"

    def __init__(
        self,
        chance: random.Random,
        now: Callable[[], int],
        troubled: Callable[..., bool],
        forgets: float,
        on_taken: Callable[[Task], None],
        lag: int,
    ) -> None:
        super().__init__(chance, now, troubled, forgets, on_taken)
        self._lag = lag

    def submits(self, request: httpx.Request) -> bool:
        return "/services/" in request.url.path

    def order(self, request: httpx.Request) -> tuple[str, str, str | None]:
        said = json.loads(request.content)
        return said["input"]["prompt"], said["model"], None

    def acknowledges(self, task: Task) -> httpx.Response:
        return httpx.Response(200, json={"output": {"task_id": task.id, "task_status": "PENDING"}, "request_id": "r"})

    def answer(self, request: httpx.Request) -> httpx.Response:
        *_, before, last = request.url.path.split("/")
        if last == "cancel":
            return self._cancel(self.tasks.get(before))
        if last == "tasks":
            return self._list(request.url.params)
        task = self.tasks.get(last)
        status = "UNKNOWN" if task is None else task.status(self.now())
        output: dict[str, Any] = {"task_id": last, "task_status": status}
        if status == "SUCCEEDED":
            output["results"] = [{"url": f"https://images.example/{last}.png?signature={self.chance.random()}"}]
        if status == "FAILED":
            output |= {"code": "DataInspectionFailed", "message": "no"}
        return httpx.Response(200, json={"output": output, "request_id": "r"})

    def throttles(self) -> httpx.Response:
        headers = self.chance.choice(({}, {"retry-after": "3"}))
        return httpx.Response(429, json={"code": "Throttling.RateQuota", "message": "slow down"}, headers=headers)

    def refuses(self) -> httpx.Response:
        return httpx.Response(400, json={"code": "InvalidParameter", "message": "no"})

    def _cancel(self, task: Task | None) -> httpx.Response:
        if task is None or task.status(self.now()) != "PENDING":
            return httpx.Response(400, json={"code": "UnsupportedOperation", "message": "it has begun"})
        task.canceled = True
        return httpx.Response(200, json={"request_id": "r"})

    def _list(self, query: httpx.QueryParams) -> httpx.Response:
        since, until, now = _read(query["start_time"]), _read(query["end_time"]), self.now()
        rows = [
            {
                "task_id": task.id,
                "status": task.status(now),
                "gmt_create": task.made_at,
                "user_api_unique_key": KEY + task.model,
            }
            for task in self.tasks.values()
            if since <= task.made_at <= until and task.made_at + self._lag <= now and task.status(now) != "UNKNOWN"
        ]
        return httpx.Response(200, json={"data": rows, "total_page": 1, "page_no": 1})


def _read(stamp: str) -> int:
    read = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC) - CHINA
    return int(read.timestamp() * 1_000)
