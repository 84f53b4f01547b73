"""AceData's image services: images (with a callback, asynchronous, or blocking) and tasks. Mounted at `/acedata`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from postback.simulator import acedata_bodies as bodies
from postback.simulator import script, wire
from postback.simulator.callbacks import Callbacks
from postback.simulator.script import Script
from postback.simulator.task import State, Task
from postback.simulator.wire import Refused
from postback.simulator.world import World
from providers import jsontext
from providers.acedata_services import DEFAULT_MODEL, SERVICES, service_of

PROVIDER = "acedata"
_MOST_IMAGES = 10
_EDITS = ("edit", "edits")
_MOST_IDS = 100
_USUAL_CODES = {400: "bad_request", 401: "invalid_token", 403: "forbidden", 429: "too_many_requests", 504: "timeout"}


class AceData:
    """The endpoints over one world."""

    def __init__(self, world: World, callbacks: Callbacks) -> None:
        self._world = world
        self._callbacks = callbacks

    def app(self) -> Starlette:
        table = [pair for row in SERVICES for pair in ((row.images, self._submit), (row.tasks, self._retrieve))]
        routes = [Route(path + slash, call, methods=["POST"]) for path, call in table for slash in ("", "/")]
        return Starlette(routes=routes, exception_handlers={Refused: self._refuse, HTTPException: self._no_api})

    async def _submit(self, request: Request) -> Response:
        account, body = _account(request), await _body(request)
        prompt, model = body.get("prompt"), body.get("model") or DEFAULT_MODEL
        if not isinstance(prompt, str) or not prompt or not isinstance(model, str):
            raise Refused(400, "bad_request", "prompt is required, and model must be a text.")
        try:
            asked = script.read(prompt, model)
        except script.BadScript as error:
            raise Refused(400, "bad_request", str(error)) from None
        nth = self._world.stats.submitted(PROVIDER, prompt, self._world.now())
        count, callback_url = _count(body), _callback_url(body)
        if asked.html is not None:
            return wire.proxy_page(asked.html)
        if refusal := asked.refusal(nth):
            status, code = refusal
            raise Refused(status, code or _USUAL_CODES.get(status, "api_error"), "The prompt asked for this error.")
        if self._callbacks.full or not self._world.may_submit(PROVIDER, account, model):
            raise _too_fast()
        task = self._accept(account, model, prompt, asked, body, count, wire.folder(request))
        return await self._acknowledge(task, callback_url)

    async def _acknowledge(self, task: Task, callback_url: str | None) -> Response:
        asked = task.script
        if callback_url and not (asked.nocallback or asked.sync or asked.vanish):
            if asked.early:
                await self._callbacks.send(task, callback_url)
            else:
                self._callbacks.schedule(task, callback_url)
        if asked.cut:
            return wire.HangUp()
        if asked.sync:
            return JSONResponse(bodies.result(task))
        if callback_url:
            return JSONResponse({"task_id": task.id})
        if task.request.get("async") is True:
            return JSONResponse({"success": True, "task_id": task.id})
        await self._world.sleep(task.finished_at - self._world.now())
        return JSONResponse(bodies.result(task), 200 if task.fault is None else bodies.STATUSES.get(task.fault, 500))

    async def _retrieve(self, request: Request) -> Response:
        account, body = _account(request), await _body(request)
        if not self._world.may_query(PROVIDER, account):
            raise _too_fast()
        match body:
            case {"action": "retrieve", "id": str(task_id)}:
                return JSONResponse(next(iter(self._records(account, [task_id])), {}))
            case {"action": "retrieve_batch", "ids": list(ids)} if len(ids) <= _MOST_IDS:
                items = self._records(account, [str(each) for each in ids])
                return JSONResponse({"items": items, "count": len(items)})
        raise Refused(
            400, "bad_request", f"Give action retrieve and an id, or retrieve_batch and up to {_MOST_IDS} ids."
        )

    def _records(self, account: str, ids: list[str]) -> list[dict[str, Any]]:
        now = self._world.now()
        found = [task for each in ids if (task := self._world.find(PROVIDER, account, each))]
        for task in found:
            self._world.stats.fetches[task.id] += 1
        return [bodies.record(task, now) for task in found if task.state(now) is not State.UNKNOWN]

    def _accept(
        self, account: str, model: str, prompt: str, asked: Script, body: Mapping[str, Any], count: int, folder: str
    ) -> Task:
        fault = asked.fail if asked.fail != "" else bodies.USUAL_FAULT
        if fault is None and asked.partial >= count:
            fault = bodies.USUAL_FAULT
        return self._world.accept(
            provider=PROVIDER,
            account=account,
            service=service_of(model).images.strip("/"),
            model=model,
            prompt=prompt,
            request=body,
            script=asked,
            count=count,
            folder=folder,
            seed=None,
            fault=fault,
        )

    async def _refuse(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse(bodies.error(error.code, str(error), self._world.new_id()), error.status)

    async def _no_api(self, request: Request, error: Exception) -> Response:
        return JSONResponse(bodies.error("no_api", "There is no such API.", self._world.new_id()), 404)


async def _body(request: Request) -> dict[str, Any]:
    try:
        return await wire.body(request)
    except jsontext.BadJson as error:
        raise Refused(400, "bad_request", str(error)) from None


def _account(request: Request) -> str:
    account = wire.key(request)
    if not account:
        raise Refused(400, "no_token", "There is no token.")
    if wire.refused_key(account):
        raise Refused(401, "invalid_token", "The token is invalid.")
    return account


def _too_fast() -> Refused:
    return Refused(429, "too_many_requests", "Too many requests, you have exceeded the rate limit.")


def _count(body: Mapping[str, Any]) -> int:
    """How many images are asked for; `count` has no meaning for an edit."""
    action, count = body.get("action", "generate"), body.get("count", 1)
    if action in _EDITS:
        if not isinstance(body.get("image_url"), str) and not isinstance(body.get("image_urls"), list):
            raise Refused(400, "bad_request", "image_url or image_urls is required to edit an image.")
        return 1
    if action != "generate":
        raise Refused(400, "api_not_implemented", "action must be generate or edit.")
    if type(count) is not int or not 1 <= count <= _MOST_IMAGES:
        raise Refused(400, "bad_request", f"count must be a whole number from 1 to {_MOST_IMAGES}.")
    return count


def _callback_url(body: Mapping[str, Any]) -> str | None:
    url = body.get("callback_url")
    if url is None:
        return None
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
        raise Refused(400, "bad_request", "callback_url must be an http or https URL.")
    return url
