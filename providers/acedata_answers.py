"""AceData's calls and answers, before anything is read into them."""

from collections.abc import Mapping
from typing import Any

from providers.acedata_errors import POLICY
from providers.jsontext import BadJson, dumps, loads
from providers.protocol import Answer, Call, Refusal


def post(path: str, body: Mapping[str, Any]) -> Call:
    """A call with a JSON body."""
    return Call("POST", path, {"Content-Type": "application/json"}, dumps(body))


def accepted(answer: Answer) -> dict[str, Any] | Refusal:
    """The object in the answer; a null is an empty one, as for a job that AceData does not know."""
    try:
        body = loads(answer.body)
    except BadJson as error:
        return POLICY.unreadable(answer, str(error))
    if body is not None and not isinstance(body, dict):
        return POLICY.unreadable(answer, "the JSON is not an object")
    return body or {}


def refused(answer: Answer, body: Mapping[str, Any]) -> Refusal | None:
    """The error that an answer is. One about a job (it has an `id`) or beside images is no error of the call."""
    failed = body.get("success") is False or bool(body.get("error"))
    about_job = body.get("id") is not None or bool(body.get("data"))
    if 200 <= answer.status < 300 and (about_job or not failed):
        return None
    error = body.get("error", body)
    if isinstance(error, dict):
        return POLICY.refusal(answer, error.get("code"), error.get("message"))
    return POLICY.refusal(answer, message=error)
