"""What AceData says of a job: in the answer to a submission, in a callback and in a task record."""

from collections.abc import Mapping
from typing import Any

from providers.fields import task_id_of, text_of
from providers.jsontext import dumps
from providers.protocol import Fault, JobStatus, Reading, Result, Unreadable

NO_RESULT = "The provider reported success without any result."


def read_outcome(body: Mapping[str, Any], *, settled: bool) -> Reading | None:
    """Reads `{success, task_id, data, error}`; None where it does not say how the job ended. Raises `Unreadable`.

    `settled`: the provider is known to have finished with the job, so that an empty success and an error without
    a code are final too.
    """
    success = body.get("success")
    if success is not None and not isinstance(success, bool):
        raise Unreadable("its success is neither true nor false")
    task_id, results = task_id_of(body), _results(body.get("data"))
    fault = fault_of(body)
    if success is False or (fault and not results):
        if not settled and not has_code(body):
            return None
        fault = fault or Fault("error", "The provider gave no reason.")
        return Reading(JobStatus.FAILED, task_id, results=results, error=fault)
    if results:
        return Reading(JobStatus.SUCCEEDED, task_id, results=results)
    if success and settled:
        return Reading(JobStatus.SUCCEEDED, task_id, warnings=(NO_RESULT,))
    return None


def read_record(record: Mapping[str, Any]) -> Reading:
    """Reads a task record `{id, request, response, created_at, started_at, finished_at}`. Raises `Unreadable`.

    It has no status word: the final response is the state. An empty record is a job that it does not know.
    """
    if not record:
        return Reading(JobStatus.UNKNOWN)
    response = _response(record)
    if response is not None and not isinstance(response, dict):
        raise Unreadable("its response is not an object")
    task_id = task_id_of(record, "id")
    if task_id is None and not response:
        raise Unreadable("it is not a task record")
    finished = bool(record.get("finished_at"))
    outcome = read_outcome(response or {}, settled=finished)
    if outcome is None:
        working = finished or bool(record.get("started_at"))
        outcome = Reading(JobStatus.RUNNING if working else JobStatus.PENDING, task_id_of(response or {}))
    return outcome._replace(task_id=task_id or outcome.task_id)


def callback_of(record: Mapping[str, Any]) -> bytes:
    """The final response of a record, as a callback would bring it; of an unfinished record, its task_id.

    Raises `Unreadable`.
    """
    reading = read_record(record)
    response = _response(record) if reading.status.final else None
    return dumps({**(response or {}), "task_id": reading.task_id})


def _response(record: Mapping[str, Any]) -> Any:
    """Its `response`. Seedream's document shows the images' response itself in place of a record (AceDataCloud/APIs,
    `seedream/docs/seedream_tasks_api_integration_guide.md`)."""
    return record if "id" not in record and record.get("data") else record.get("response")


def has_code(body: Mapping[str, Any]) -> bool:
    """Whether its error is an object with a code. One that is a string may be a passing remark."""
    error = body.get("error")
    return isinstance(error, dict) and bool(error.get("code"))


def fault_of(body: Mapping[str, Any]) -> Fault | None:
    """Its `error`: an object with code and message, a string, or null. Raises `Unreadable`."""
    error = body.get("error")
    if isinstance(error, str):
        error = {"message": error} if error else None
    if error is None:
        return None
    if not isinstance(error, dict):
        raise Unreadable("its error is neither an object nor a string")
    code, message = text_of(error, "code"), text_of(error, "message")
    return Fault(code or "error", message or "The provider gave no reason.")


def _results(data: Any) -> tuple[Result, ...]:
    """`data` is one image or an array of them."""
    if data is None or data == {}:
        return ()
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list):
        raise Unreadable("its data are neither an object nor an array")
    return tuple(_result(item) for item in data)


def _result(item: Any) -> Result:
    if not isinstance(item, dict):
        raise Unreadable("one of its data is not an object")
    if url := text_of(item, "image_url"):
        return Result(url)
    return Result(None, fault_of(item) or Fault("error", "The provider gave neither a URL nor a reason."))
