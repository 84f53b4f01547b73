"""Errors on the wire: `application/problem+json` (RFC 9457). Every kind of problem is one row of the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem; `type` is `urn:postback:problem:` and its name."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request cannot be understood"),
    "bad-json": Kind(400, "The body is not acceptable JSON"),
    "bad-cursor": Kind(400, "The cursor is not valid"),
    "bad-callback": Kind(400, "The callback could not be read"),
    "unauthorized": Kind(401, "An API key is needed"),
    "forbidden": Kind(403, "The API key may not do this"),
    "bad-signature": Kind(403, "The signature is not good"),
    "not-found": Kind(404, "There is no such thing"),
    "method-not-allowed": Kind(405, "The method is not allowed here"),
    "conflict": Kind(409, "The thing is not in a state that allows this"),
    "too-large": Kind(413, "The body is too large"),
    "unsupported-media-type": Kind(415, "The body is of the wrong kind"),
    "invalid": Kind(422, "The request has bad fields"),
    "idempotency-key-reused": Kind(422, "The Idempotency-Key was used for another request"),
    "headers-too-large": Kind(431, "The headers are too large"),
    "internal": Kind(500, "Something went wrong on our side"),
    "unavailable": Kind(503, "Not possible at the moment"),
}
"""Every kind of problem that Postback answers with."""

RETRY_SECONDS = 1


class Problem(Exception):
    """Raised by a handler; becomes the response.

    `errors` are `{"pointer": "/input/prompt", "detail": "…"}`, pointers as in RFC 6901 into the request's body, or
    `{"parameter": "limit", "detail": "…"}` for the query.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers

    def response(self) -> JSONResponse:
        """The problem as an HTTP response."""
        kind = KINDS[self.kind]
        document: dict[str, Any] = {
            "type": f"urn:postback:problem:{self.kind}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        headers = dict(self.headers or {})
        if kind.status == 503:
            headers.setdefault("Retry-After", str(RETRY_SECONDS))
        return JSONResponse(document, kind.status, headers=headers, media_type="application/problem+json")


def no_such_callback() -> Problem:
    """One answer for every token that is not good, whatever is wrong with it: it must teach nothing."""
    return Problem("not-found", "There is nothing here.")


def internal() -> Problem:
    """What is told of an error that nobody foresaw: nothing. The log has the rest."""
    return Problem("internal", "Something went wrong on our side; the log says what.")
