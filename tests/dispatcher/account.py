"""A DashScope account at the other end of the wire: it takes jobs, works on them and lists them."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx2 as httpx

from ledger.clock import DAY, SECOND

from .virtual import Time
from .wire import Step

KEY = "apikey:v1:aigc:text2image:image-synthesis:"


class Account:
    """Its tasks run after a second and succeed after `lasts` milliseconds.

    `zone` is how it reads the window of its list, in hours ahead of UTC; None: not at all. `size` is the longest page.
    `troubles` are what the next lists are answered with instead.
    """

    def __init__(self, time: Time, *, zone: int | None = 8, lasts: int = 30 * SECOND, size: int = 100) -> None:
        self._time = time
        self._zone, self._lasts, self._size = zone, lasts, size
        self._tasks: dict[str, tuple[int, str, int]] = {}
        self.troubles: list[Step] = []
        self.lists: list[int] = []
        self.asked: list[str] = []

    def took(
        self, task_id: str, *, at: int | None = None, model: str = "flux-schnell", lasts: int | None = None
    ) -> None:
        """It has that task."""
        made_at = self._time.now if at is None else at
        self._tasks[task_id] = made_at, model, made_at + (self._lasts if lasts is None else lasts)

    def takes(self, request: httpx.Request) -> httpx.Response:
        """A submission, answered."""
        task_id = f"taken-{len(self._tasks)}"
        self.took(task_id, model=json.loads(request.content)["model"])
        return httpx.Response(200, json={"output": {"task_id": task_id, "task_status": "PENDING"}})

    def cut(self, request: httpx.Request) -> httpx.Response:
        """A submission that is taken, and whose answer never comes."""
        self.takes(request)
        raise httpx.ReadError("…")

    def answers(self, request: httpx.Request) -> Any:
        """A query or a list."""
        *_, last = request.url.path.split("/")
        if last != "tasks":
            self.asked.append(last)
            return httpx.Response(200, json={"output": self._task(last)})
        self.lists.append(self._time.now)
        return self.troubles.pop(0)(request) if self.troubles else self._list(request.url.params)

    def _list(self, query: httpx.QueryParams) -> httpx.Response:
        since, until = self._read(query["start_time"]), self._read(query["end_time"])
        if until - since > DAY:
            return httpx.Response(400, json={"code": "InvalidParameter", "message": "more than 24 hours"})
        found = [
            {"task_id": task_id, "status": self._status(task_id), "gmt_create": at, "user_api_unique_key": KEY + model}
            for task_id, (at, model, _) in reversed(self._tasks.items())
            if self._zone is None or since <= at <= until
        ]
        page = int(query["page_no"])
        rows = found[(page - 1) * self._size : page * self._size]
        return httpx.Response(200, json={"data": rows, "total_page": -(-len(found) // self._size), "page_no": page})

    def _task(self, task_id: str) -> dict[str, Any]:
        status = self._status(task_id)
        results = [{"url": f"https://images.example/{task_id}.png"}] if status == "SUCCEEDED" else None
        return {"task_id": task_id, "task_status": status, "results": results}

    def _status(self, task_id: str) -> str:
        if task_id not in self._tasks:
            return "UNKNOWN"
        made_at, _, ends_at = self._tasks[task_id]
        if self._time.now >= ends_at:
            return "SUCCEEDED"
        return "RUNNING" if self._time.now >= made_at + SECOND else "PENDING"

    def _read(self, stamp: str) -> int:
        read = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC) - timedelta(hours=self._zone or 0)
        return int(read.timestamp() * 1_000)


def busiest(times: list[int]) -> int:
    """The most calls within any one second."""
    ordered = sorted(times)
    return max(sum(first <= time < first + SECOND for time in ordered) for first in ordered)


def gaps(times: list[int]) -> list[int]:
    """The pauses between calls, in milliseconds."""
    return [after - before for before, after in pairwise(times)]
