"""DashScope's asynchronous task API: submit, fetch, cancel and list. Mounted at `/dashscope/api/v1`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from postback.simulator import dashscope_bodies as bodies
from postback.simulator import dashscope_models as models
from postback.simulator import script, wire
from postback.simulator.script import Script
from postback.simulator.task import State, Task
from postback.simulator.wire import Refused
from postback.simulator.world import World
from providers import jsontext

PROVIDER = "dashscope"
_DAY = 24 * 3600.0
_MOST_IMAGES = 4
_NOT_PENDING = "Failed to cancel the task, please confirm if the task is in PENDING status."
_USUAL_CODES = {
    400: "InvalidParameter",
    401: "InvalidApiKey",
    403: "AccessDenied",
    404: "ModelNotFound",
    408: "RequestTimeOut",
    429: "Throttling.RateQuota",
    503: "ModelUnavailable",
}


class DashScope:
    """The endpoints over one world. `on_accepted` is told of each task."""

    def __init__(self, world: World, on_accepted: Callable[[Task], None] = lambda task: None) -> None:
        self._world = world
        self._on_accepted = on_accepted

    def app(self) -> Starlette:
        table = (
            ("/services/{service:path}", self._submit, "POST"),
            ("/tasks/{task_id}/cancel", self._cancel, "POST"),
            ("/tasks/{task_id}", self._fetch, "GET"),
            ("/tasks", self._list, "GET"),
        )
        # The SDK's asyncio class sends trailing slashes, and a redirect would lose its body.
        routes = [Route(path + slash, call, methods=[method]) for path, call, method in table for slash in ("", "/")]
        return Starlette(routes=routes, exception_handlers={Refused: self._refuse})

    async def _submit(self, request: Request) -> Response:
        account = _account(request)
        if request.headers.get("x-dashscope-async") != "enable":
            raise Refused(403, "AccessDenied", "current user api does not support synchronous calls.")
        try:
            body = await wire.body(request)
            service, model = request.path_params["service"].rstrip("/"), str(body.get("model"))
            prompt = models.prompt(service, body)
            asked = script.read(prompt, model)
        except (jsontext.BadJson, script.BadScript) as error:
            raise Refused(400, "InvalidParameter", str(error)) from None
        nth = self._world.stats.submitted(PROVIDER, prompt, self._world.now())
        if not models.serves(service, model):
            known = any(models.serves(other, model) for other in models.SERVICES)
            raise Refused(400, "InvalidParameter", "url error, please check url!" if known else "Model not exist.")
        if asked.html is not None:
            return wire.proxy_page(asked.html)
        if refusal := asked.refusal(nth):
            status, code = refusal
            code = code or _USUAL_CODES.get(status, "InternalError")
            raise Refused(status, code, bodies.message(code))
        if not self._world.may_submit(PROVIDER, account, model):
            raise _too_fast()
        task = self._accept(account, service, model, prompt, asked, body, wire.folder(request))
        self._on_accepted(task)
        if asked.cut:
            return wire.HangUp()
        return self._say({"output": {"task_id": task.id, "task_status": State.PENDING}})

    async def _fetch(self, request: Request) -> Response:
        account, task_id = self._query(request), request.path_params["task_id"]
        task = self._world.find(PROVIDER, account, task_id)
        if task is None:
            return self._say({"output": {"task_id": task_id, "task_status": State.UNKNOWN}})
        self._world.stats.fetches[task_id] += 1
        return self._say(bodies.fetched(task, self._world.now()))

    async def _cancel(self, request: Request) -> Response:
        account = self._query(request)
        task = self._world.find(PROVIDER, account, request.path_params["task_id"])
        if task is None or task.state(self._world.now()) is not State.PENDING:
            raise Refused(400, "UnsupportedOperation", _NOT_PENDING)
        self._world.cancel(task)
        return self._say({})

    async def _list(self, request: Request) -> Response:
        account, now, query = self._query(request), self._world.now(), request.query_params
        page, size = _whole(query, "page_no", 1, 1_000_000), _whole(query, "page_size", 10, 100)
        since, until = _window(query, now)
        model, status = query.get("model_name"), query.get("status")
        found = [
            task
            for task in reversed(self._world.tasks.values())
            if (task.provider, task.account) == (PROVIDER, account)
            and since <= task.submitted_at <= until
            and task.state(now) is not State.UNKNOWN
            and model in (None, task.model)
            and status in (None, task.state(now))
        ]
        rows = [bodies.listed(task, now) for task in found[(page - 1) * size : page * size]]
        pages = -(-len(found) // size)
        return self._say({"total": len(found), "data": rows, "total_page": pages, "page_no": page, "page_size": size})

    def _query(self, request: Request) -> str:
        account = _account(request)
        if not self._world.may_query(PROVIDER, account):
            raise _too_fast()
        return account

    def _accept(
        self, account: str, service: str, model: str, prompt: str, asked: Script, body: Mapping[str, Any], folder: str
    ) -> Task:
        given = body.get("parameters")
        parameters = given if isinstance(given, dict) else {}
        count, seed = parameters.get("n", 1), parameters.get("seed")
        # DashScope judges parameters after the submission: a bad one is a job that fails.
        sound = bool(prompt) and type(count) is int and 1 <= count <= _MOST_IMAGES
        fault = asked.fail if asked.fail != "" else bodies.USUAL_FAULT
        if not sound:
            count, fault = 1, "InvalidParameter"
        elif fault is None and asked.partial >= count:
            fault = bodies.IMAGE_FAULT
        return self._world.accept(
            provider=PROVIDER,
            account=account,
            service=service,
            model=model,
            prompt=prompt,
            request=body,
            script=asked,
            count=count,
            folder=folder,
            seed=seed if type(seed) is int else None,
            fault=fault,
        )

    async def _refuse(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return self._say({"code": error.code, "message": error.message}, error.status)

    def _say(self, body: Mapping[str, Any], status: int = 200) -> Response:
        return JSONResponse({"request_id": self._world.new_id(), **body}, status)


def _account(request: Request) -> str:
    account = wire.key(request)
    if not account or wire.refused_key(account):
        raise Refused(401, "InvalidApiKey", "Invalid API-key provided.")
    return account


def _too_fast() -> Refused:
    return Refused(429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.")


def _whole(query: QueryParams, name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
        raise Refused(400, "InvalidParameter", f"{name} must be a whole number from 1 to {most}.")
    return int(text)


def _window(query: QueryParams, now: float) -> tuple[float, float]:
    start, end = _moment(query, "start_time"), _moment(query, "end_time")
    until = end if end is not None else now if start is None else start + _DAY
    since = start if start is not None else until - _DAY
    if not since <= until <= since + _DAY:
        raise Refused(400, "InvalidParameter", "end_time must be at most 24 hours after start_time.")
    return since, until


def _moment(query: QueryParams, name: str) -> float | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=bodies.CHINA).timestamp()
    except ValueError:
        raise Refused(400, "InvalidParameter", f"{name} must be written YYYYMMDDhhmmss.") from None
