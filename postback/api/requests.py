"""Reading requests: bodies against their model, query parameters, paths. Whatever is wrong becomes a `Problem`."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from ledger import traces
from ledger.clock import parse_rfc3339
from ledger.pages import DEFAULT_LIMIT, MAX_LIMIT
from providers import jsontext
from receiver import bodies
from receiver.problems import Problem

M = TypeVar("M", bound=BaseModel)


async def read(request: Request, model: type[M], limit: int) -> M:
    """The body as that model; an empty body counts as `{}`. Raises `Problem`."""
    bodies.check_kind(request.headers)
    body = await bodies.read(request, limit)
    try:
        document = jsontext.load_object(body or b"{}")
    except jsontext.BadJson as error:
        why = str(error)
        raise Problem("bad-json", f"{why[:1].upper()}{why[1:]}.") from None
    return checked(model, document)


def checked(model: type[M], document: Mapping[str, Any]) -> M:
    """A document as that model. Raises `Problem`."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise refused(error) from None


def refused(error: ValidationError) -> Problem:
    """The problem of fields that a model does not take."""
    return invalid(*((pointer(*one["loc"]), one["msg"]) for one in error.errors()))


def invalid(*errors: tuple[str, str]) -> Problem:
    """A 422 for bad fields, each a JSON pointer and a sentence."""
    first = f"{errors[0][0] or '/'}: {errors[0][1]}" if errors else "The request has bad fields."
    return Problem("invalid", first, errors=[{"pointer": pointer, "detail": detail} for pointer, detail in errors])


def pointer(*location: int | str) -> str:
    """The JSON pointer (RFC 6901) to a place in the body."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def traceparent(request: Request) -> str | None:
    """The trace that a request belongs to; a bad one counts as none (W3C Trace Context, "Processing Model")."""
    return traces.read(request.headers.getlist("traceparent"))


def only(request: Request, names: Collection[str]) -> None:
    """Raises `Problem` for a query parameter with another name: a filter that is misspelt must not give everything."""
    taken = f"it takes {', '.join(names)}" if names else "it takes none"
    unknown = [name for name in request.query_params if name not in names]
    if unknown:
        errors = [{"parameter": name, "detail": f"this call has no such parameter; {taken}"} for name in unknown]
        raise Problem("invalid", f"{unknown[0]}: {errors[0]['detail']}.", errors=errors)


def page_of(request: Request) -> tuple[str | None, int]:
    """The `cursor` and `limit` of a list. Raises `Problem`."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise _bad_parameter("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return request.query_params.get("cursor"), limit


def choice(request: Request, name: str, choices: Collection[str]) -> str | None:
    """A query parameter that is one of a few words. Raises `Problem`."""
    value = text(request, name)
    if value is not None and value not in choices:
        raise _bad_parameter(name, f"must be one of {', '.join(choices)}")
    return value


def text(request: Request, name: str, longest: int | None = None) -> str | None:
    """A query parameter that is any text, of so many characters at most; None where it is missing. Raises `Problem`."""
    value = request.query_params.get(name)
    if value is not None and longest is not None and len(value) > longest:
        raise _bad_parameter(name, f"must have at most {longest} characters")
    if value is not None and "\x00" in value:
        raise _bad_parameter(name, "must not hold a NUL character")
    return value


def time(request: Request, name: str) -> int | None:
    """A query parameter that is an RFC 3339 time, in milliseconds. Raises `Problem`."""
    value = request.query_params.get(name)
    return None if value is None else milliseconds(value, lambda why: _bad_parameter(name, why))


def milliseconds(value: str, problem: Callable[[str], Problem]) -> int:
    """An RFC 3339 time in milliseconds; `problem(why)` is raised where it is none."""
    try:
        return parse_rfc3339(value)
    except (ValueError, OverflowError):
        raise problem("must be a time such as 2026-01-31T12:00:00Z") from None


def _bad_parameter(name: str, why: str) -> Problem:
    return Problem("invalid", f"{name} {why}.", errors=[{"parameter": name, "detail": why}])
