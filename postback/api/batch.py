"""`POST /v1/jobs/batch`: many jobs in one request, recorded all or none."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import jobs
from ledger.jobs import Draft, KeysReused
from postback.api import models, requests
from postback.api.bodies import BatchedJob, NewBatch
from postback.api.jobs import prepare
from postback.house import House
from receiver.problems import Problem


class Batch(models.Shape):
    """The jobs of a batch, in the order of its requests."""

    data: list[models.Job]


async def create(house: House, request: Request) -> Response:
    """Records a batch of jobs and answers 202 before anything is sent. Pointers of errors are `/jobs/17/…`."""
    asked = await requests.read(request, NewBatch, house.settings.max_body)
    drafts = _prepared(house, asked.jobs)
    try:
        made = await house.ledger.write(jobs.create_all, drafts)
    except KeysReused as reused:
        why = "was used for another request; use a new key for a new job"
        errors = [{"pointer": f"/jobs/{position}/idempotency_key", "detail": why} for position in reused.positions]
        raise Problem("idempotency-key-reused", f"{errors[0]['pointer']}: {why}", errors=errors) from None
    house.wake("submitter")
    return JSONResponse({"data": [job.document(house.links.url) for job in made]}, 202)


def _prepared(house: House, asked: list[BatchedJob]) -> list[Draft]:
    drafts: list[Draft] = []
    errors: list[tuple[str, str]] = []
    for position, one in enumerate(asked):
        try:
            drafts.append(prepare(house, one, one.idempotency_key))
        except Problem as problem:
            errors += [(f"/jobs/{position}{error['pointer']}", error["detail"]) for error in problem.errors]
    if errors:
        raise requests.invalid(*errors)
    return drafts
