"""Serving result images that were kept. The signature in the path is the authority: subscribers have no key."""

from collections.abc import Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ledger import artifacts
from ledger.errors import NotFound
from postback.house import House
from receiver import media
from receiver.problems import Problem
from receiver.storage import Missing, StorageError

log = structlog.get_logger()

LASTS = "private, max-age=31536000, immutable"
"""What is stored under an id never changes. Caches that others share must not outlive an erased job."""

HARMLESS = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""Whatever a file holds, a browser that opens it runs nothing of it and lets it ask for nothing."""


async def serve(house: House, request: Request) -> Response:
    """One image. A bad signature, an unknown id and a file that is gone get the same answer: it must teach nothing."""
    artifact_id, signature = request.path_params["id"], request.path_params["signature"]
    if not house.links.good(artifact_id, signature):
        raise _nothing()
    try:
        row = await house.ledger.read(artifacts.stored, artifact_id)
    except NotFound:
        raise _nothing() from None
    headers = _headers(row)
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers={name: headers[name] for name in ("etag", "cache-control")})
    if request.method == "HEAD":
        return Response(headers=headers)
    try:
        chunks = await house.storage.open(artifact_id)
    except Missing:
        log.error("artifact_missing", artifact_id=artifact_id)
        raise _nothing() from None
    except StorageError as error:
        log.error("artifact_not_read", artifact_id=artifact_id, reason=str(error))
        raise Problem("unavailable", "The image cannot be read now.") from None
    return StreamingResponse(chunks, headers=headers)


def _headers(row: Any) -> Mapping[str, str]:
    shown = "inline" if row.media_type in media.SHOWN else "attachment"
    return {
        "content-type": row.media_type,
        "content-length": str(row.size),
        "content-disposition": f'{shown}; filename="{row.id}{media.EXTENSIONS.get(row.media_type, "")}"',
        "cache-control": LASTS,
        "etag": f'"{row.sha256}"',
        "x-content-type-options": "nosniff",
        "content-security-policy": HARMLESS,
    }


def _nothing() -> Problem:
    return Problem("not-found", "There is nothing here.")
