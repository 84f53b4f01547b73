"""AceData, simulated: it calls back, more than once, too early, too late, with something else, or not at all."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2 as httpx

from ledger.clock import SECOND

from .provider import Provider, Task

CALLS = (
    "once",
    "once",
    "twice",
    "many times",
    "never",
    "late",
    "conflicting",
    "conflicting",
    "conflicting",
    "garbage first",
    "of another first",
)
ODD = 0.6
"""How likely something is special about its callbacks for a task."""

PAUSES = (2, 15, 40)
"""Seconds before it tries a callback again that was not taken; then it gives up."""

Post = Callable[[str, bytes], Awaitable[int | None]]
"""POSTs a body to a callback URL; the status code, None where no answer came."""


class AceData(Provider):
    """`post` brings a callback to us, `begin` starts something of its own beside its answers."""

    name = "acedata"

    def __init__(
        self,
        chance: random.Random,
        now: Callable[[], int],
        troubled: Callable[..., bool],
        forgets: float,
        on_taken: Callable[[Task], None],
        post: Post,
        begin: Callable[[Any], Any],
    ) -> None:
        super().__init__(chance, now, troubled, forgets, on_taken)
        self._post = post
        self._begin = begin

    def submits(self, request: httpx.Request) -> bool:
        return request.url.path.endswith("/images")

    def order(self, request: httpx.Request) -> tuple[str, str, str | None]:
        said = json.loads(request.content)
        return said["prompt"], said["model"], said.get("callback_url")

    def acknowledges(self, task: Task) -> httpx.Response:
        if task.callback_url is not None and task.ends_at is not None:
            how = self.chance.choice(CALLS) if self._troubled(ODD) else "once"
            self._begin(self._call_back(task, task.callback_url, max(0, task.ends_at - self.now()), how))
        return httpx.Response(200, json={"success": True, "task_id": task.id})

    def answer(self, request: httpx.Request) -> httpx.Response:
        said = json.loads(request.content)
        if said["action"] == "retrieve_batch":
            known = [self._record(self.tasks[one]) for one in said["ids"] if self._knows(one)]
            return httpx.Response(200, json={"items": known, "count": len(known)})
        if not self._knows(said["id"]):
            return httpx.Response(200, json={})
        return httpx.Response(200, json=self._record(self.tasks[said["id"]]))

    def throttles(self) -> httpx.Response:
        return httpx.Response(429, json={"error": {"code": "too_many_requests", "message": "slow down"}})

    def refuses(self) -> httpx.Response:
        return httpx.Response(403, json={"error": {"code": "used_up", "message": "no credit"}})

    def _knows(self, task_id: str) -> bool:
        return task_id in self.tasks and self.tasks[task_id].status(self.now()) != "UNKNOWN"

    def _record(self, task: Task) -> dict[str, Any]:
        now = self.now()
        record: dict[str, Any] = {"id": task.id, "created_at": task.made_at / SECOND}
        if now >= task.begins_at:
            record["started_at"] = task.begins_at / SECOND
        if task.ends_at is not None and now >= task.ends_at:
            record |= {"finished_at": task.ends_at / SECOND, "response": self._said(task, task.ending)}
        return record

    @staticmethod
    def _said(task: Task, ending: str) -> dict[str, Any]:
        if ending == "failed":
            return {"success": False, "task_id": task.id, "error": {"code": "forbidden", "message": "no"}}
        url = f"https://images.example/{task.id}.png"
        return {"success": True, "task_id": task.id, "data": [{"prompt": task.prompt, "image_url": url}]}

    async def _call_back(self, task: Task, url: str, wait: int, how: str) -> None:
        await asyncio.sleep(wait / SECOND)
        body = json.dumps(self._said(task, task.ending)).encode()
        bodies = [body]
        match how:
            case "never":
                return
            case "late":
                await asyncio.sleep(self.chance.uniform(20, 100))
            case "twice":
                bodies = [body, body]
            case "many times":
                bodies = [body] * 4
            case "conflicting":
                other = "succeeded" if task.ending == "failed" else "failed"
                bodies = [body, json.dumps(self._said(task, other)).encode()]
            case "garbage first":
                bodies = [b'{"success": tru', body]
            case "of another first":
                bodies = [body.replace(task.id.encode(), b"acedata-999"), body]
        if self.chance.random() < 0.5:
            await asyncio.gather(*(self._insist(url, one) for one in bodies))
        else:
            for one in bodies:
                await self._insist(url, one)

    async def _insist(self, url: str, body: bytes) -> None:
        for pause in PAUSES:
            code = await self._post(url, body)
            if code is not None and 200 <= code < 300:
                return
            await asyncio.sleep(pause)
