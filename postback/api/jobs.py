"""The API's calls on jobs."""

import hashlib
import json

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import jobs, search
from ledger.job import Job
from ledger.jobs import Draft, Filter
from ledger.lifecycle import JOB
from ledger.pages import Page
from ledger.timeline import timeline
from postback.api import job_acts, requests, targets
from postback.api.bodies import MAX_KEY, NewJob
from postback.house import House
from providers import PROVIDERS, choose
from providers.protocol import Order, Provider
from receiver.problems import Problem


async def create(house: House, request: Request) -> Response:
    """Records a job and answers 202 before anything is sent."""
    asked = await requests.read(request, NewJob, house.settings.max_body)
    with house.tracer.span("submit", requests.traceparent(request)) as span:
        draft = prepare(house, asked, _idempotency_key(request), span.traceparent)
        made = await job_acts.submit(house, asked, draft)
        span.tell(job_id=made.job.id, provider=made.job.provider)
    return JSONResponse(targets.document(house, made), 202, headers={"Location": f"/v1/jobs/{made.job.id}"})


def prepare(house: House, asked: NewJob, key: str | None, traceparent: str | None = None) -> Draft:
    """A request as the job that it asks for, judged by its provider. Raises `Problem`, its pointers into the request.

    `key` is the idempotency key that came with it, `traceparent` the trace that it belongs to.
    """
    provider = _provider(house, asked)
    order = Order(asked.model, asked.input, asked.parameters or {})
    check = provider.check(order)
    problems = [(problem.pointer, problem.message) for problem in check.problems]
    problems += targets.refusals(house, asked)
    if problems:
        raise requests.invalid(*problems)
    return Draft(
        provider=provider.name,
        model=asked.model,
        input=asked.input,
        parameters=asked.parameters or {},
        metadata=asked.metadata or {},
        warnings=check.warnings,
        idempotency_key=key,
        idempotency_digest=None if key is None else _digest(asked),
        subscribers=asked.subscribers,
        notify=targets.target(house, asked),
        traceparent=traceparent,
    )


async def find(house: House, request: Request) -> Response:
    """Lists jobs."""
    cursor, limit = requests.page_of(request)
    text = requests.text(request, "q", search.MAX_TEXT)
    wanted = Filter(
        status=requests.choice(request, "status", JOB),
        provider=requests.choice(request, "provider", PROVIDERS),
        model=requests.text(request, "model"),
        task_id=requests.text(request, "task_id"),
        created_after=requests.time(request, "created_after"),
        created_before=requests.time(request, "created_before"),
    )
    if text is None:
        page = await house.ledger.read(jobs.find, wanted, cursor=cursor, limit=limit)
    else:
        page = await house.ledger.read(_search, text, wanted, cursor=cursor, limit=limit)
    return JSONResponse({"data": [job.document(house.links.url) for job in page.data], "next_cursor": page.next_cursor})


async def get(house: House, request: Request) -> Response:
    """One job."""
    job = await house.ledger.read(jobs.get, request.path_params["id"])
    return JSONResponse(job.document(house.links.url))


async def story(house: House, request: Request) -> Response:
    """Everything that happened to a job."""
    return JSONResponse({"data": await house.ledger.read(timeline, request.path_params["id"])})


async def take_back(house: House, request: Request) -> Response:
    """Cancels a job."""
    job = await job_acts.cancel(house, request.path_params["id"])
    return JSONResponse(job.document(house.links.url))


async def resubmit(house: House, request: Request) -> Response:
    """Asks for the same again, as a new job."""
    job = await job_acts.resubmit(house, request.path_params["id"])
    return JSONResponse(job.document(house.links.url), 202, headers={"Location": f"/v1/jobs/{job.id}"})


async def delete(house: House, request: Request) -> Response:
    """Erases a finished job."""
    await job_acts.erase(house, request.path_params["id"])
    return Response(status_code=204)


def _search(connection: Connection, text: str, wanted: Filter, *, cursor: str | None, limit: int) -> Page[Job]:
    hits = search.find(connection, text, wanted, cursor=cursor, limit=limit)
    return Page(search.load(connection, hits.ids), hits.next_cursor)


def _provider(house: House, asked: NewJob) -> Provider:
    provider = choose(asked.model) if asked.provider is None else PROVIDERS.get(asked.provider)
    names = " or ".join(PROVIDERS)
    if provider is None and asked.provider is not None:
        raise requests.invalid(("/provider", f"there is no provider {asked.provider}; write {names}"))
    if provider is None:
        raise requests.invalid(
            (
                "/model",
                f"no provider is known to have the model {asked.model}; name one in provider ({names}) to try it",
            )
        )
    if "dispatcher" in house.roles and provider.name not in house.clients:
        key = {"dashscope": "DASHSCOPE_API_KEY", "acedata": "ACEDATA_API_TOKEN"}.get(provider.name, "its key")
        others = [name for name in house.clients if PROVIDERS[name].has(asked.model)]
        instead = f', or write "provider": "{others[0]}"' if others else ""
        raise requests.invalid(
            ("/provider", f"no key for {provider.name} is set: set {key} and start the server again{instead}")
        )
    return provider


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise Problem("bad-request", f"Idempotency-Key must be 1 to {MAX_KEY} printable ASCII characters.")
    return key


def _digest(asked: NewJob) -> str:
    # Without its key, a request of a batch is the same as the one that comes alone.
    fields = asked.model_dump(exclude_none=True, exclude={"idempotency_key"})
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
