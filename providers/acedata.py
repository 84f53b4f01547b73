"""AceData: images of FLUX and others, with callbacks.

    POST {images of the service}   {prompt, model, …, callback_url | async}   a task_id, or the result itself
    POST {tasks of the service}    {action: "retrieve", id}                   a record, with the response in the end

A callback holds what the answer to the submission would have held, had it waited. Callbacks are not signed.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from providers.acedata_answers import accepted, post, refused
from providers.acedata_batch import AceDataBatches
from providers.acedata_errors import POLICY
from providers.acedata_parameters import EDITING, PARAMETERS
from providers.acedata_reading import callback_of, read_outcome, read_record
from providers.acedata_services import DEFAULT_MODEL, FLUX, MODELS, named_service, service_of
from providers.fields import task_id_of
from providers.jsontext import BadJson, load_object
from providers.orders import check_order, joined, require_text
from providers.parameters import Parameter
from providers.protocol import (
    Account,
    Answer,
    Batches,
    Call,
    Check,
    JobStatus,
    Lists,
    Order,
    Problem,
    Reading,
    Refusal,
    Unreadable,
)

GENERATE, EDIT = "generate", "edit"
OURS = ("model", "callback_url", "async")
"""Fields of the request that Postback itself fills in."""


class AceData:
    """AceData as a `Provider`; what its methods mean is told there."""

    name = "acedata"
    calls_back = True
    paced_by_model = False
    lists: Lists | None = None
    batches: Batches | None = AceDataBatches()
    default_model: str | None = DEFAULT_MODEL
    models: tuple[str, ...] = MODELS
    parameters: tuple[Parameter, ...] = PARAMETERS

    def __init__(self, edit_action: str = EDIT) -> None:
        """`edit_action`: the word that is sent for an edit. The Chinese document says `edits`, the English one,
        the OpenAPI file and the SDK say `edit`."""
        self._edit_action = edit_action

    def has(self, model: str) -> bool:
        return named_service(model) is not None

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
        judged = order if named_service(order.model) else replace(order, model=DEFAULT_MODEL)
        return joined(
            check_order(order, ()),
            check_order(judged, self.parameters, flat=True),
            Check(ours + _missing(order, fields), _warnings(order, fields)),
        )

    def headers(self, account: Account) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {account.api_key}", "Accept": "application/json"}

    def submit(self, order: Order, callback_url: str | None) -> Call:
        fields = {name: value for name, value in _fields(order).items() if name not in OURS}
        service, action = service_of(order.model), _action(fields)
        body = {
            **fields,
            **({"action": self._edit_action if action == EDIT else action} if service.action else {}),
            "model": order.model,
            **({"callback_url": callback_url} if callback_url else {"async": True}),
        }
        return post(service.images, body)

    def read_submit(self, answer: Answer) -> Reading | Refusal:
        body = accepted(answer)
        if isinstance(body, Refusal):
            return body
        if refusal := refused(answer, body):
            return refusal
        try:
            return read_outcome(body, settled=False) or _acknowledged(body)
        except Unreadable as error:
            return POLICY.unreadable(answer, str(error))

    def fetch(self, task_id: str, model: str = "") -> Call:
        return post(service_of(model).tasks, {"action": "retrieve", "id": task_id})

    def read_fetch(self, answer: Answer) -> Reading | Refusal:
        body = accepted(answer)
        if isinstance(body, Refusal):
            return body
        if refusal := refused(answer, body):
            no_such_job = answer.status == 404 and refusal.code != "no_api"
            return Reading(JobStatus.UNKNOWN) if no_such_job else refusal
        try:
            return read_record(body)
        except Unreadable as error:
            return POLICY.unreadable(answer, str(error))

    def cancel(self, task_id: str) -> Call | None:
        return None

    def read_cancel(self, answer: Answer) -> Refusal | None:
        body = accepted(answer)
        return body if isinstance(body, Refusal) else refused(answer, body)

    def callback_body(self, answer: Answer) -> bytes:
        """The final response of a record, as a callback would bring it; of an unfinished record, its task_id."""
        try:
            return callback_of(load_object(answer.body))
        except (BadJson, Unreadable):
            return answer.body

    def read_callback(self, body: bytes) -> Reading:
        try:
            fields = load_object(body)
        except BadJson as error:
            raise Unreadable(str(error)) from None
        return read_outcome(fields, settled=True) or _acknowledged(fields)


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


def _missing(order: Order, fields: Mapping[str, Any]) -> tuple[Problem, ...]:
    if service_of(order.model) is not FLUX:
        return require_text(fields, "prompt")
    missing = require_text(fields, "prompt") if _action(fields) in (GENERATE, EDIT) else ()
    return missing + _bad_image_url(fields) if _action(fields) == EDIT else missing


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
    if named_service(order.model) is None:
        warnings.append(f"{order.model} is not among the models known of AceData; it is sent to FLUX as it is.")
    if service_of(order.model) is FLUX and _action(fields) == EDIT:
        if order.model not in EDITING:
            warnings.append(f"The documents edit images with {' and '.join(EDITING)} only, not with {order.model}.")
        if "count" in fields:
            warnings.append("count is for generate; the provider ignores it in an edit.")
    return tuple(warnings)
