"""A stand-in for AceData, written from its public documents alone. It calls back as soon as it has answered."""

import asyncio
import json
import ssl
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx2 as httpx
from e2e.script import Script
from e2e.wire import Reply, Request, Stage, Wire, reply

KEY = "acedata-canary-77ad0e"


MOMENT = 0.1
"""Seconds that no image takes less than: else results come before anybody has noted that the job was taken."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Made once: a client of its own would read all certificates of the system, for seconds in which nothing else runs."""


class AceData:
    """Takes jobs, calls back and answers queries. `answers` are what its callbacks were answered, by prompt."""

    def __init__(self, stage: Stage, latency: float = 0) -> None:
        self.script = Script()
        self.submitted: list[Request] = []
        self.latency = latency
        self.answers: defaultdict[str, list[httpx.Response]] = defaultdict(list)
        self._callbacks: dict[str, tuple[Sequence[bytes], bool]] = {}
        self._tasks: dict[str, tuple[str, int]] = {}
        self._unfinished: set[str] = set()
        self._running: set[asyncio.Task[None]] = set()
        self.wire = Wire(stage, self._answer)

    @property
    def url(self) -> str:
        return self.wire.url

    def calls_back(self, prompt: str, *bodies: bytes, early: bool = False) -> None:
        """What is posted for that job instead of its result, all at once; `early`: before the submission is
        answered."""
        self._callbacks[prompt] = (bodies, early)

    def request_of(self, prompt: str) -> Request:
        """The one submission with that prompt."""
        (found,) = [request for request in self.submitted if request.json["prompt"] == prompt]
        return found

    def callback_url(self, prompt: str) -> str:
        return str(self.request_of(prompt).json["callback_url"])

    async def _answer(self, request: Request) -> Reply | None:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return refused(401, "invalid_token", "The token is invalid.")
        if request.path == "/flux/images":
            return await self._submit(request)
        asked = request.json
        if asked["action"] == "retrieve":
            return self._record(asked["id"])
        records = [self._record(task_id) for task_id in asked["ids"]]
        items = [json.loads(one.body) for one in records if one is not None and one.status == 200]
        return reply({"items": [item for item in items if item], "count": len(items)})

    def _record(self, task_id: str) -> Reply | None:
        if task_id not in self._tasks:
            return reply({})
        prompt, count = self._tasks[task_id]
        response = None if task_id in self._unfinished else outcome(task_id, count)
        return self._filled(prompt, self.script.asked(prompt, record(task_id, response=response)))

    def _filled(self, prompt: str, answer: Reply | None) -> Reply | None:
        """The reply with the job's callback URL where it says `{callback_url}`."""
        if answer is None or b"{callback_url}" not in answer.body:
            return answer
        return replace(answer, body=answer.body.replace(b"{callback_url}", self.callback_url(prompt).encode()))

    async def _submit(self, request: Request) -> Reply | None:
        order = request.json
        prompt = order["prompt"]
        self.submitted.append(request)
        usual = reply({"task_id": str(uuid.uuid4())}, delay=self.latency)
        answer = self._filled(prompt, self.script.submitted(prompt, usual))
        if answer is None or answer.status != 200:
            return answer
        said = json.loads(answer.body)
        count = order.get("count", 1)
        self._tasks[said["task_id"]] = (prompt, count)
        if "callback_url" not in order or "data" in said:
            return answer
        usual_body = json.dumps(outcome(said["task_id"], count)).encode()
        bodies, early = self._callbacks.get(prompt, ([usual_body], False))
        calling = asyncio.create_task(
            self._call(prompt, order["callback_url"], bodies, 0 if early else max(self.latency, MOMENT))
        )
        self._running.add(calling)
        calling.add_done_callback(self._running.discard)
        if bodies:  # on a slow machine the job is asked about before: then there is no result yet
            self._unfinished.add(said["task_id"])
            calling.add_done_callback(lambda _: self._unfinished.discard(said["task_id"]))
        if early:
            await calling
        return answer

    async def _call(self, prompt: str, url: str, bodies: Sequence[bytes], delay: float) -> None:
        await asyncio.sleep(2 * delay)
        headers = {"content-type": "application/json"}
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
            sent = [client.post(url, content=body, headers=headers) for body in bodies]
            for answer in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(answer, httpx.Response):
                    self.answers[prompt].append(answer)


def outcome(task_id: str, count: int = 1) -> dict[str, Any]:
    """What a callback says of a success."""
    data = [
        {"prompt": "p", "image_url": f"https://cdn.example/{task_id}/{number}.png", "seed": 7, "timings": 1.5}
        for number in range(count)
    ]
    return {"success": True, "task_id": task_id, "trace_id": str(uuid.uuid4()), "data": data}


def failure(task_id: str, code: str = "api_error", message: str = "fetch failed") -> dict[str, Any]:
    """What a callback says of a failure."""
    error = {"code": code, "message": message}
    return {"success": False, "task_id": task_id, "trace_id": str(uuid.uuid4()), "error": error}


def record(task_id: str, response: dict[str, Any] | None = None) -> Reply:
    """A task record; without a response it is not finished."""
    fields: dict[str, Any] = {"id": task_id, "request": {}, "created_at": 1752743800.5, "started_at": 1752743801}
    return reply(fields | ({"response": response, "finished_at": 1752743900.5} if response else {}))


def refused(status: int, code: str, message: str) -> Reply:
    """An error."""
    return reply({"success": False, "error": {"code": code, "message": message}, "trace_id": "x"}, status)
