"""DashScope (Alibaba Cloud Model Studio): asynchronous tasks, asked for by polling.

    POST /services/{service of the model}   X-DashScope-Async: enable      a task_id
    GET  /tasks/{task_id}                                                  its state, and in the end its result
    POST /tasks/{task_id}/cancel                                           while it is PENDING

DashScope does not call back; the poller POSTs the answer to the query as it is, so a callback is such an answer.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from providers.dashscope_errors import POLICY
from providers.dashscope_list import DashScopeLists
from providers.dashscope_models import MODELS, TEXT_TO_IMAGE, Service, service_of
from providers.dashscope_parameters import PARAMETERS
from providers.dashscope_reading import accepted, read_task
from providers.jsontext import BadJson, dumps, load_object
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


class DashScope:
    """DashScope as a `Provider`; what its methods mean is told there."""

    name = "dashscope"
    calls_back = False
    paced_by_model = True
    lists: Lists | None = DashScopeLists()
    batches: Batches | None = None
    default_model: str | None = None
    models: tuple[str, ...] = MODELS
    parameters: tuple[Parameter, ...] = PARAMETERS

    def has(self, model: str) -> bool:
        return service_of(model) is not None

    def hint(self, code: str) -> str | None:
        return POLICY.hint(code)

    def check(self, order: Order) -> Check:
        service = service_of(order.model) or TEXT_TO_IMAGE
        return joined(
            check_order(order, self.parameters),
            Check(_missing(order, service), _about_model(order.model)),
        )

    def headers(self, account: Account) -> Mapping[str, str]:
        workspace = {"X-DashScope-WorkSpace": account.workspace} if account.workspace else {}
        return {"Authorization": f"Bearer {account.api_key}", "Accept": "application/json", **workspace}

    def submit(self, order: Order, callback_url: str | None) -> Call:
        service = service_of(order.model) or TEXT_TO_IMAGE
        body: dict[str, Any] = {"model": order.model, "input": _input(order, service)}
        if order.parameters:
            body["parameters"] = dict(order.parameters)
        headers = {"Content-Type": "application/json", "X-DashScope-Async": "enable"}
        if _mentions_oss(body["input"]):
            headers["X-DashScope-OssResourceResolve"] = "enable"
        return Call("POST", f"/services/{service.path}", headers, dumps(body))

    def read_submit(self, answer: Answer) -> Reading | Refusal:
        reading = _read(answer, unsaid=JobStatus.PENDING)
        if isinstance(reading, Refusal):
            return reading
        if reading.task_id is None and not reading.status.final:
            return POLICY.unreadable(answer, "its output has no task_id")
        if reading.status is JobStatus.UNKNOWN:
            # It has just given the job an id: it will know it in a moment.
            return reading._replace(status=JobStatus.PENDING)
        return reading

    def fetch(self, task_id: str, model: str = "") -> Call:
        return Call("GET", f"/tasks/{quote(task_id, safe='')}")

    def read_fetch(self, answer: Answer) -> Reading | Refusal:
        return _read(answer)

    def cancel(self, task_id: str) -> Call | None:
        return Call("POST", f"/tasks/{quote(task_id, safe='')}/cancel")

    def read_cancel(self, answer: Answer) -> Refusal | None:
        body = accepted(answer)
        return body if isinstance(body, Refusal) else None

    def callback_body(self, answer: Answer) -> bytes:
        return answer.body

    def read_callback(self, body: bytes) -> Reading:
        try:
            return read_task(load_object(body))
        except BadJson as error:
            raise Unreadable(str(error)) from None


def _read(answer: Answer, unsaid: JobStatus | None = None) -> Reading | Refusal:
    body = accepted(answer)
    if isinstance(body, Refusal):
        return body
    try:
        return read_task(body, unsaid)
    except Unreadable as error:
        return POLICY.unreadable(answer, str(error))


def _missing(order: Order, service: Service) -> tuple[Problem, ...]:
    messages = order.input.get("messages")
    if service.messages and messages is not None:
        if isinstance(messages, list) and messages:
            return ()
        return (Problem("/input/messages", "must be an array with at least one message"),)
    return require_text(order.input, "prompt") if service.prompt_required else ()


def _about_model(model: str) -> tuple[str, ...]:
    if model.startswith("stable-diffusion-v3.5-"):
        name = model.replace("-v3.5-", "-3.5-")
        return (f"The documents write {model} in their prose and {name} in their tables; the API knows {name}.",)
    if service_of(model) is None:
        return (f"{model} is not among the models known of DashScope; it is sent to the text-to-image service.",)
    return ()


def _input(order: Order, service: Service) -> dict[str, Any]:
    fields = dict(order.input)
    if service.messages and "messages" not in fields:
        fields["messages"] = [{"role": "user", "content": [{"text": fields.pop("prompt", "")}]}]
    return fields


def _mentions_oss(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_mentions_oss(item) for item in value.values())
    if isinstance(value, list):
        return any(_mentions_oss(item) for item in value)
    return isinstance(value, str) and value.startswith("oss://")
