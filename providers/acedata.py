"""AceData: FLUX images, with callbacks.

    POST /flux/images   {action, prompt, model, …, callback_url | async}    a task_id, or the result itself
    POST /flux/tasks    {action: "retrieve", id}                            a record, with the response in the end

A callback holds what the answer to the submission would have held, had it waited. Callbacks are not signed.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from providers.acedata_errors import POLICY
from providers.acedata_parameters import DEFAULT_MODEL, EDITING, MODELS, PARAMETERS
from providers.acedata_reading import read_outcome, read_record
from providers.fields import task_id_of
from providers.jsontext import BadJson, dumps, load_object, loads
from providers.orders import check_order, joined, require_text
from providers.parameters import Parameter
from providers.protocol import Account, Answer, Call, Check, JobStatus, Order, Problem, Reading, Refusal, Unreadable

GENERATE, EDIT = "generate", "edit"
OURS = ("model", "callback_url", "async")
"""Fields of the request that Postback itself fills in."""


class AceData:
    """AceData as a `Provider`; what its methods mean is told there."""

    name = "acedata"
    calls_back = True
    paced_by_model = False
    default_model: str | None = DEFAULT_MODEL
    models: tuple[str, ...] = MODELS
    parameters: tuple[Parameter, ...] = PARAMETERS

    def __init__(self, edit_action: str = EDIT) -> None:
        """`edit_action`: the word that is sent for an edit. The Chinese document says `edits`, the English one,
        the OpenAPI file and the SDK say `edit`."""
        self._edit_action = edit_action

    def has(self, model: str) -> bool:
        return model in self.models

    def hint(self, code: str) -> str | None:
        return POLICY.hint(code)

    def check(self, order: Order) -> Check:
        fields = _fields(order)
        ours = tuple(
            Problem(f"/{place}/{name}", "is filled in by Postback")
            for place, given in (("input", order.input), ("parameters", order.parameters))
            for name in OURS
            if name in given
        )
        missing = require_text(fields, "prompt") if _action(fields) in (GENERATE, EDIT) else ()
        if _action(fields) == EDIT:
            missing += _bad_image_url(fields)
        return joined(check_order(order, self.parameters, flat=True), Check(ours + missing, _warnings(order, fields)))

    def headers(self, account: Account) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {account.api_key}", "Accept": "application/json"}

    def submit(self, order: Order, callback_url: str | None) -> Call:
        fields = {name: value for name, value in _fields(order).items() if name not in OURS}
        action = _action(fields)
        body = {
            **fields,
            "action": self._edit_action if action == EDIT else action,
            "model": order.model,
            **({"callback_url": callback_url} if callback_url else {"async": True}),
        }
        return _post("/flux/images", body)

    def read_submit(self, answer: Answer) -> Reading | Refusal:
        body = _json(answer)
        if isinstance(body, Refusal):
            return body
        if refusal := _refusal(answer, body):
            return refusal
        try:
            return read_outcome(body, settled=False) or _acknowledged(body)
        except Unreadable as error:
            return POLICY.unreadable(answer, str(error))

    def fetch(self, task_id: str) -> Call:
        return _post("/flux/tasks", {"action": "retrieve", "id": task_id})

    def read_fetch(self, answer: Answer) -> Reading | Refusal:
        body = _json(answer)
        if isinstance(body, Refusal):
            return body
        if refusal := _refusal(answer, body):
            no_such_job = answer.status == 404 and refusal.code != "no_api"
            return Reading(JobStatus.UNKNOWN) if no_such_job else refusal
        try:
            return read_record(body)
        except Unreadable as error:
            return POLICY.unreadable(answer, str(error))

    def cancel(self, task_id: str) -> Call | None:
        return None

    def read_cancel(self, answer: Answer) -> Refusal | None:
        body = _json(answer)
        return body if isinstance(body, Refusal) else _refusal(answer, body)

    def callback_body(self, answer: Answer) -> bytes:
        """The final response of a record, as a callback would bring it; of an unfinished record, its task_id."""
        try:
            record = load_object(answer.body)
            reading = read_record(record)
        except (BadJson, Unreadable):
            return answer.body
        response = record.get("response") if reading.status.final else None
        return dumps({**(response or {}), "task_id": reading.task_id})

    def read_callback(self, body: bytes) -> Reading:
        try:
            fields = load_object(body)
        except BadJson as error:
            raise Unreadable(str(error)) from None
        return read_outcome(fields, settled=True) or _acknowledged(fields)


def _post(path: str, body: Mapping[str, Any]) -> Call:
    return Call("POST", path, {"Content-Type": "application/json"}, dumps(body))


def _json(answer: Answer) -> dict[str, Any] | Refusal:
    """The object in the answer; a null is an empty one, as for a job that AceData does not know."""
    try:
        body = loads(answer.body)
    except BadJson as error:
        return POLICY.unreadable(answer, str(error))
    if body is not None and not isinstance(body, dict):
        return POLICY.unreadable(answer, "the JSON is not an object")
    return body or {}


def _refusal(answer: Answer, body: Mapping[str, Any]) -> Refusal | None:
    """The error that an answer is. One about a job (it has an `id`) or beside images is no error of the call."""
    failed = body.get("success") is False or bool(body.get("error"))
    about_job = body.get("id") is not None or bool(body.get("data"))
    if 200 <= answer.status < 300 and (about_job or not failed):
        return None
    error = body.get("error", body)
    if isinstance(error, dict):
        return POLICY.refusal(answer, error.get("code"), error.get("message"))
    return POLICY.refusal(answer, message=error)


def _acknowledged(body: Mapping[str, Any]) -> Reading:
    task_id = task_id_of(body)
    if task_id is None:
        raise Unreadable("it has neither a result, an error nor a task_id")
    return Reading(JobStatus.PENDING, task_id)


def _fields(order: Order) -> dict[str, Any]:
    """AceData's request is flat."""
    return {**order.parameters, **order.input}


def _action(fields: Mapping[str, Any]) -> Any:
    action = fields.get("action", GENERATE)
    return EDIT if action == "edits" else action


def _bad_image_url(fields: Mapping[str, Any]) -> tuple[Problem, ...]:
    if missing := require_text(fields, "image_url"):
        return missing
    try:
        url = urlsplit(fields["image_url"])
        good = url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        good = False
    return () if good else (Problem("/input/image_url", "must be an http or https URL"),)


def _warnings(order: Order, fields: Mapping[str, Any]) -> tuple[str, ...]:
    warnings = []
    if order.model not in MODELS:
        warnings.append(f"{order.model} is not among the models known of AceData; it is sent as it is.")
    if _action(fields) == EDIT:
        if order.model not in EDITING:
            warnings.append(f"The documents edit images with {' and '.join(EDITING)} only, not with {order.model}.")
        if "count" in fields:
            warnings.append("count is for generate; the provider ignores it in an edit.")
    return tuple(warnings)
