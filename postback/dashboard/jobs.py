"""`/jobs`: all jobs, newest first, as a table or as a gallery of the images that we kept."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from ledger import search
from ledger.jobs import Filter
from ledger.lifecycle import JOB
from ledger.listing import Listed, Missing, listed, missing
from ledger.search import Hits
from postback.api import requests
from postback.dashboard import instants, pictures, shell
from postback.dashboard.choices import one_of
from postback.dashboard.page import Page
from postback.house import House
from providers import PROVIDERS

T = TypeVar("T")

VIEWS = ("table", "gallery")
FIELDS = ("q", "status", "provider", "model", "created_after", "created_before")
MODELS = tuple(dict.fromkeys(model for provider in PROVIDERS.values() for model in provider.models))


class _Asked:
    """What the URL asks for; what is wrong with it is in `errors`, by field, and counts as not asked."""

    def __init__(self, request: Request, now: int) -> None:
        self._request = request
        self.errors: dict[str, str] = {}
        self.text = self._given("q", _short)
        self.cursor, self.limit = requests.page_of(request)
        self.filter = Filter(
            status=self._given("status", lambda value: one_of(value, JOB)),
            provider=self._given("provider", lambda value: one_of(value, PROVIDERS)),
            model=self._given("model", str),
            created_after=self._given("created_after", lambda value: instants.read(value, now)),
            created_before=self._given("created_before", lambda value: instants.read(value, now)),
        )

    @property
    def anything(self) -> bool:
        return self.text is not None or self.filter != Filter()

    def _given(self, name: str, read: Callable[[str], T]) -> T | None:
        value = (requests.text(self._request, name) or "").strip()
        try:
            return read(value) if value else None
        except ValueError as error:
            self.errors[name] = str(error)
            return None


async def find(house: House, request: Request) -> Response:
    """Some jobs; what to look for is in the URL."""
    asked = _Asked(request, house.ledger.clock())
    hits, found, failing = Hits(()), list[Listed](), dict[str, Missing]()
    if not asked.errors:
        hits, found, failing = await house.ledger.read(_look, asked)
    view = request.query_params.get("view")
    return shell.draw(
        house,
        request,
        "jobs.html",
        422 if asked.errors else 200,
        jobs=found,
        missing=failing,
        hits=hits,
        thumbs={job.id: pictures.shown(house, job.artifacts) for job in found},
        view=view if view in VIEWS else VIEWS[0],
        given={name: request.query_params.get(name, "") for name in FIELDS},
        errors={name: asked.errors.get(name, "") for name in FIELDS},
        wrong=bool(asked.errors),
        filtered=asked.anything,
        cursor=asked.cursor,
        limit=asked.limit,
        states=list(JOB),
        providers=list(PROVIDERS),
        models=MODELS,
    )


def _look(connection: Connection, asked: _Asked) -> tuple[Hits, list[Listed], dict[str, Missing]]:
    hits = search.find(connection, asked.text, asked.filter, cursor=asked.cursor, limit=asked.limit)
    return hits, listed(connection, hits.ids), missing(connection, hits.ids)


def _short(value: str) -> str:
    if len(value) > search.MAX_TEXT:
        raise ValueError(f"at most {search.MAX_TEXT} characters")
    return value


ROUTES: tuple[Page, ...] = (Page("GET", "/jobs", find),)
