"""What DashScope's task object says: the same in the answer to a submission, in a query and in a callback."""

from collections.abc import Mapping
from typing import Any

from providers.dashscope_errors import POLICY
from providers.fields import count_of, object_of, task_id_of, text_of
from providers.jsontext import BadJson, load_object
from providers.protocol import Answer, Fault, JobStatus, Metrics, Reading, Refusal, Result, Unreadable

STATUSES = {
    "PENDING": JobStatus.PENDING,
    "SUSPENDED": JobStatus.PENDING,
    "RUNNING": JobStatus.RUNNING,
    "SUCCEEDED": JobStatus.SUCCEEDED,
    # The parameter table of the FLUX document writes it so.
    "SUCCESSED": JobStatus.SUCCEEDED,
    "FAILED": JobStatus.FAILED,
    "CANCELED": JobStatus.CANCELED,
    "CANCELLED": JobStatus.CANCELED,
    "UNKNOWN": JobStatus.UNKNOWN,
}

NO_RESULT = "The provider reported success without any result."
NOT_A_RESULT = Result(None, Fault("Unreadable", "The provider sent something that is not a result."))


def read_task(body: Mapping[str, Any], unsaid: JobStatus | None = None) -> Reading:
    """Reads `{request_id, output: {task_id, task_status, …}, usage}`. Raises `Unreadable`.

    A word that is not in `STATUSES` means that the job is not finished. `unsaid` is the status where there is no
    word at all; without it, its absence is `Unreadable`.
    """
    output = object_of(body, "output")
    word = text_of(output, "task_status")
    if word is not None:
        status = STATUSES.get(word.strip().upper(), JobStatus.PENDING)
    elif unsaid is not None:
        status = unsaid
    else:
        raise Unreadable("its output has no task_status")
    results = _results(output) if status.final else ()
    return Reading(
        status=status,
        task_id=task_id_of(output),
        provider_status=word,
        results=results,
        metrics=_metrics(body, output),
        image_count=count_of(_object(body, "usage"), "image_count"),
        error=_fault(body, output) if status is JobStatus.FAILED else None,
        warnings=(NO_RESULT,) if status is JobStatus.SUCCEEDED and not results else (),
    )


def accepted(answer: Answer) -> dict[str, Any] | Refusal:
    """The body of an answer that is no error. A top-level `code` is one even under HTTP 200, unless it repeats
    what a failed task says of itself, as the SDK's form of the answer does."""
    try:
        body = load_object(answer.body)
    except BadJson as error:
        return POLICY.unreadable(answer, str(error))
    code, output = body.get("code"), body.get("output")
    told = isinstance(output, dict) and output.get("task_status") == "FAILED"
    if not 200 <= answer.status < 300 or (isinstance(code, str) and code and not told):
        return POLICY.refusal(answer, code, body.get("message"))
    return body


def _results(output: Mapping[str, Any]) -> tuple[Result, ...]:
    """Images stand in `results`, in `choices` where the input was a conversation; a video in `video_url`."""
    if listed := _array(output, "results"):
        return tuple(_result(item) for item in listed)
    if spoken := tuple(_spoken(output)):
        return spoken
    video = text_of(output, "video_url")
    return (Result(video),) if video else ()


def _result(item: Any) -> Result:
    """One bad item must not hide the images beside it, which are paid for."""
    if isinstance(item, str) or item is None:
        item = {"url": item}
    if not isinstance(item, dict):
        return NOT_A_RESULT
    try:
        if url := text_of(item, "url"):
            return Result(url)
        code, message = text_of(item, "code"), text_of(item, "message")
    except Unreadable:
        return NOT_A_RESULT
    return Result(None, Fault(code or "Unknown", message or "The provider gave neither a URL nor a reason."))


def _spoken(output: Mapping[str, Any]) -> list[Result]:
    urls = []
    for choice in _array(output, "choices"):
        if not isinstance(choice, dict):
            raise Unreadable("one of its choices is not an object")
        for part in _array(_object(choice, "message"), "content"):
            if isinstance(part, dict) and (url := text_of(part, "image") or text_of(part, "video")):
                urls.append(Result(url))
    return urls


def _metrics(body: Mapping[str, Any], output: Mapping[str, Any]) -> Metrics | None:
    """The documents describe `task_metrics` in `usage` and show them in `output`. They need not add up."""
    for place in (output, _object(body, "usage")):
        if said := _object(place, "task_metrics"):
            return Metrics(count_of(said, "TOTAL"), count_of(said, "SUCCEEDED"), count_of(said, "FAILED"))
    return None


def _fault(body: Mapping[str, Any], output: Mapping[str, Any]) -> Fault:
    code = text_of(output, "code") or text_of(body, "code")
    message = text_of(output, "message") or text_of(body, "message")
    return Fault(code or "Unknown", message or "The provider gave no reason.")


def _array(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"its {name} are not an array")
    return value


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}
