"""One call of the API, as data."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from ledger.api_keys import Scope
from postback.house import House

Handler = Callable[[House, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter in the query, or a header. `kind` is `text`, `time` or `whole number`; `longest` is in characters."""

    name: str
    says: str
    choices: tuple[str, ...] = ()
    kind: str = "text"
    place: Literal["query", "header"] = "query"
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `paged` lists take `cursor` and `limit`; `problems` are the statuses a caller must expect."""

    method: str
    path: str
    says: str
    handler: Handler
    answer: type[BaseModel] | None
    status: int = 200
    body: type[BaseModel] | None = None
    queries: tuple[Query, ...] = ()
    paged: bool = False
    problems: tuple[int, ...] = ()
    media: str | None = None
    """What it answers with where that is no JSON."""
    open: bool = False
    """Whether it is answered without a key."""
    roles: tuple[str, ...] = ("api",)
    """Which roles make a process answer it; none named is every process."""
    needs: Scope | None = None
    """The scope that the caller's key must have, where it is not the usual one."""

    @property
    def takes(self) -> tuple[str, ...] | None:
        """The names that its query may hold; None where any other is let be."""
        if self.method != "GET" or not self.path.startswith("/v1/"):
            return None
        named = tuple(query.name for query in self.queries if query.place == "query")
        return named + (("limit", "cursor") if self.paged else ())

    @property
    def scope(self) -> Scope:
        """The scope that the caller's key must have: to look, `read`; to change something, `admin`."""
        return self.needs or ("read" if self.method == "GET" else "admin")


JOB_ID = Query("job_id", "Only those of this job.")
