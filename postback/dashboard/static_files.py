"""`/static/{version}/{name}`: what the pages load. The version is a hash of it all, so that browsers may keep it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from postback.dashboard.page import Page
from postback.house import House
from receiver.problems import Problem

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Files:
    version: str
    contents: Mapping[str, tuple[bytes, str]]


@cache
def _all() -> _Files:
    found = sorted(files("postback.dashboard").joinpath("static").iterdir(), key=lambda file: file.name)
    kinds = {file.name: kind for file in found for end, kind in _TYPES.items() if file.name.endswith(end)}
    contents = {file.name: (file.read_bytes(), kinds[file.name]) for file in found if file.name in kinds}
    digest = hashlib.sha256(repr(contents).encode()).hexdigest()
    return _Files(digest[:12], contents)


def path_of(name: str) -> str:
    """Where a page loads that file from. Raises `KeyError` where there is no such file."""
    everything = _all()
    if name not in everything.contents:
        raise KeyError(name)
    return f"/static/{everything.version}/{name}"


async def serve(house: House, request: Request) -> Response:
    """One file. Another version of Postback may have drawn the page that asks: it gets ours, and may not keep it."""
    everything = _all()
    found = everything.contents.get(request.path_params["name"])
    if found is None:
        raise Problem("not-found", "There is nothing here.")
    ours = request.path_params["version"] == everything.version
    return Response(found[0], media_type=found[1], headers={"Cache-Control": _FOR_EVER if ours else "no-store"})


ROUTES: tuple[Page, ...] = (Page("GET", "/static/{version}/{name}", serve, open=True),)
