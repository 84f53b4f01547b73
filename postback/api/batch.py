"""`POST /v1/jobs/batch`: many jobs in one request, recorded all or none."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.jobs import Draft, KeysReused
from ledger.recording import Recorded, Strangers, record
from postback.api import models, requests, targets
from postback.api.bodies import BatchedJob, NewBatch
from postback.api.jobs import prepare
from postback.api.targets import SubmittedJob
from postback.house import House
from receiver.problems import Problem


class Batch(models.Shape):
    """The jobs of a batch, in the order of its requests."""

    data: list[SubmittedJob]


async def create(house: House, request: Request) -> Response:
    """Records a batch of jobs and answers 202 before anything is sent. Pointers of errors are `/jobs/17/…`."""
    asked = await requests.read(request, NewBatch, house.settings.max_body)
    with house.tracer.span("submit", requests.traceparent(request), jobs=len(asked.jobs)) as span:
        made = await _record(house, asked.jobs, _prepared(house, asked.jobs, span.traceparent))
    house.wake("submitter")
    return JSONResponse({"data": [targets.document(house, one) for one in made]}, 202)


async def _record(house: House, asked: list[BatchedJob], drafts: list[Draft]) -> list[Recorded]:
    try:
        return await house.ledger.write(record, drafts)
    except Strangers as strangers:
        raise requests.invalid(*(_stranger(asked, *place) for place in strangers.places)) from None
    except KeysReused as reused:
        why = "was used for another request; use a new key for a new job"
        errors = [{"pointer": f"/jobs/{position}/idempotency_key", "detail": why} for position in reused.positions]
        raise Problem("idempotency-key-reused", f"{errors[0]['pointer']}: {why}", errors=errors) from None


def _prepared(house: House, asked: list[BatchedJob], traceparent: str | None) -> list[Draft]:
    drafts: list[Draft] = []
    errors: list[tuple[str, str]] = []
    for position, one in enumerate(asked):
        try:
            drafts.append(prepare(house, one, one.idempotency_key, traceparent))
        except Problem as problem:
            errors += [(f"/jobs/{position}{error['pointer']}", error["detail"]) for error in problem.errors]
    if errors:
        raise requests.invalid(*errors)
    return drafts


def _stranger(asked: list[BatchedJob], position: int, place: int) -> tuple[str, str]:
    pointer, why = targets.stranger(asked[position], place)
    return f"/jobs/{position}{pointer}", why
